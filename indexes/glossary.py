"""Reads the glossary: common words of tool search in fifteen languages."""

from pathlib import Path

LANGUAGES = ("es", "de", "fr", "pt", "it", "nl", "pl", "sv", "tr", "ru", "ar", "hi", "zh", "ja", "ko")
NO_WORD = "-"


def read_glossary(path: Path) -> list[tuple[str, str, str]]:
    """Return (language, word, English meaning) for every word of the glossary."""
    entries = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        meaning, *columns = (column.strip() for column in line.split("|"))
        for language, column in zip(LANGUAGES, columns, strict=True):
            entries += [(language, word, meaning) for word in column.split() if word != NO_WORD]
    return entries
