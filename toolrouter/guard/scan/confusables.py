"""Letters of other scripts that look like Latin ones, by the names Unicode gives them.

Only pairs that a reader takes for each other in running text are listed. Styled Latin letters (full width,
mathematical, circled) are not: compatibility normalisation turns them back.
"""

from __future__ import annotations

import unicodedata
from typing import Final

_BY_NAME: Final = {
    "CYRILLIC SMALL LETTER": {
        "A": "a", "IE": "e", "O": "o", "ER": "p", "ES": "c", "U": "y", "HA": "x", "KA": "k", "EM": "m", "TE": "t",
        "EN": "h", "VE": "b", "BYELORUSSIAN-UKRAINIAN I": "i", "YI": "i", "JE": "j", "DZE": "s", "KOMI DE": "d",
        "QA": "q", "WE": "w", "SHHA": "h", "PALOCHKA": "l", "STRAIGHT U": "y", "IZHITSA": "v", "GHE": "r", "IO": "e",
    },
    "CYRILLIC CAPITAL LETTER": {
        "A": "A", "VE": "B", "IE": "E", "KA": "K", "EM": "M", "EN": "H", "O": "O", "ER": "P", "ES": "C", "TE": "T",
        "HA": "X", "U": "Y", "BYELORUSSIAN-UKRAINIAN I": "I", "JE": "J", "DZE": "S", "KOMI SJE": "G", "QA": "Q",
        "WE": "W", "IZHITSA": "V", "STRAIGHT U": "Y", "IO": "E", "ZE": "3",
    },
    "CYRILLIC LETTER": {"PALOCHKA": "I"},
    "GREEK SMALL LETTER": {
        "ALPHA": "a", "OMICRON": "o", "NU": "v", "IOTA": "i", "KAPPA": "k", "RHO": "p", "TAU": "t", "UPSILON": "u",
        "CHI": "x", "EPSILON": "e", "ETA": "n", "GAMMA": "y", "OMEGA": "w", "FINAL SIGMA": "c",
    },
    "GREEK CAPITAL LETTER": {
        "ALPHA": "A", "BETA": "B", "EPSILON": "E", "ZETA": "Z", "ETA": "H", "IOTA": "I", "KAPPA": "K", "MU": "M",
        "NU": "N", "OMICRON": "O", "RHO": "P", "TAU": "T", "UPSILON": "Y", "CHI": "X",
    },
    "GREEK LETTER": {"YOT": "j"},
    "ARMENIAN SMALL LETTER": {"OH": "o", "SEH": "u", "VO": "n", "HO": "h", "ZA": "q", "CO": "g"},
    "ARMENIAN CAPITAL LETTER": {"SEH": "U", "OH": "O", "TIWN": "S"},
    "CHEROKEE LETTER": {
        "GO": "A", "YV": "B", "TLI": "C", "A": "D", "GV": "E", "NAH": "G", "MI": "H", "V": "I", "GU": "J", "TSO": "K",
        "TLE": "L", "LU": "M", "TLV": "P", "SV": "R", "DU": "S", "I": "T", "DO": "V", "LA": "W", "GI": "Y", "NO": "Z",
    },
    "COPTIC SMALL LETTER": {"O": "o", "SIMA": "c", "RO": "p"},
    "COPTIC CAPITAL LETTER": {"O": "O", "SIMA": "C", "RO": "P"},
    "LATIN SMALL LETTER": {
        "ALPHA": "a", "SCRIPT G": "g", "DOTLESS I": "i", "DOTLESS J": "j", "LONG S": "s", "IOTA": "i", "OPEN E": "e",
        "TONE SIX": "b", "INSULAR G": "g",
    },
    "LATIN LETTER": {"DENTAL CLICK": "l"},
}  # fmt: skip


def _lookalikes() -> dict[str, str]:
    table: dict[str, str] = {}
    for prefix, letters in _BY_NAME.items():
        for name, latin in letters.items():
            try:
                table[unicodedata.lookup(f"{prefix} {name}")] = latin
            except KeyError:  # an older Unicode database has no such letter
                continue
    return table


LOOKALIKES: Final = _lookalikes()

WEAK_LOOKALIKES: Final = frozenset(
    unicodedata.lookup(f"CYRILLIC SMALL LETTER {name}") for name in ("KA", "EM", "TE", "EN", "VE", "GHE")
)
"""They resemble a Latin letter inside a Latin word, but not enough to spell a word of their own."""
