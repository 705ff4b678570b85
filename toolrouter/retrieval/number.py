"""Whether a query and a tool's name have a thing in one number: `alerts` are in `get_alerts`, not `get_alert_list`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from toolrouter.index.words import STOP_WORDS, is_plural, stem, unstemmed

Numbers = Mapping[str, bool]
"""Whether a word is a plural, by its stem."""


def numbers_in(text: str) -> Numbers:
    return {stem(word): is_plural(word) for word in unstemmed(text) if word not in STOP_WORDS}


def agreement(asked: Numbers, named: Sequence[Numbers]) -> NDArray[np.float32]:
    """Return, of the words that a query and each name share, the parts in the plural in both and in different numbers.

    Shape (2, names). Words in the singular in both say nothing: that is how names are written.
    """
    found = np.zeros((2, len(named)), np.float32)
    for at, name in enumerate(named):
        shared = [(asked[word], plural) for word, plural in name.items() if word in asked]
        if shared:
            found[0, at] = sum(one and other for one, other in shared) / len(shared)
            found[1, at] = sum(one != other for one, other in shared) / len(shared)
    return found
