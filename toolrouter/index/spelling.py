"""What a word that no tool contains may have meant: known words a slip away, or spelt out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

MIN_LETTERS: Final = 4
LETTERS_FOR_TWO_SLIPS: Final = 6
MIN_CONSONANTS: Final = 3
CANDIDATES: Final = 24
MEANINGS: Final = 3
_VOWELS: Final = str.maketrans("", "", "aeiou")


class Spelling:
    """Finds near words by shared pairs of letters, then by edit distance."""

    def __init__(self, vocabulary: Sequence[str], frequency: Sequence[int] | None = None) -> None:
        """`frequency` says how common each word is; of words as near as each other the commonest is meant."""
        self._vocabulary = vocabulary
        self._frequency = frequency or [1] * len(vocabulary)
        self._pairs: dict[str, int] = {}
        self._consonants: dict[str, list[int]] = defaultdict(list)
        owners: list[int] = []
        pairs: list[int] = []
        for term, word in enumerate(vocabulary):
            if len(word) >= MIN_LETTERS - 1 and word.isalpha() and word.isascii():
                found = _pairs(word)
                owners.extend([term] * len(found))
                pairs.extend([self._pairs.setdefault(pair, len(self._pairs)) for pair in found])
                self._consonants[_consonants(word)].append(term)
        order = np.argsort(np.asarray(pairs, np.int32), kind="stable")
        self._owners: NDArray[np.int32] = np.asarray(owners, np.int32)[order]
        self._starts = np.r_[0, np.cumsum(np.bincount(np.asarray(pairs, np.int64), minlength=len(self._pairs)))]

    def near(self, word: str) -> list[int]:
        """Return at most three terms, the likeliest first, none when the word is short or far from all."""
        if not word.isalpha() or not word.isascii():
            return []
        return self._slips(word) or self._spelt_out(word)

    def _slips(self, word: str) -> list[int]:
        if len(word) < MIN_LETTERS:
            return []
        slips = 2 if len(word) >= LETTERS_FOR_TWO_SLIPS else 1
        measured = ((_distance(word, self._vocabulary[term], slips), term) for term in self._candidates(word, slips))
        # Letters are left out more often than put in, and seldom is the first one wrong.
        kept = sorted(
            (distance, known[0] != word[0], len(known) < len(word), -self._frequency[term], term)
            for distance, term in measured
            if distance <= slips
            for known in [self._vocabulary[term]]
        )
        return [found[-1] for found in kept if found[:3] == kept[0][:3]][:MEANINGS]

    def _spelt_out(self, word: str) -> list[int]:
        """Return the words that an abbreviation without vowels stands for: `msg`, `qry`, `tckt`."""
        if len(word) < MIN_CONSONANTS or word.translate(_VOWELS) != word:
            return []
        meant = self._consonants.get(_consonants(word), ())
        alike = [term for term in meant if self._vocabulary[term][0] == word[0]]
        return sorted(alike, key=lambda term: (-self._frequency[term], term))[:MEANINGS]

    def _candidates(self, word: str, slips: int) -> list[int]:
        known = [self._pairs[pair] for pair in _pairs(word) if pair in self._pairs]
        # One slip, two letters swapped included, spoils at most three pairs.
        needed = max(2, len(word) + 1 - 3 * slips)
        if len(known) < needed:
            return []
        owners = np.concatenate([self._owners[self._starts[pair] : self._starts[pair + 1]] for pair in known])
        terms, shared = np.unique(owners, return_counts=True)
        terms, shared = terms[shared >= needed], shared[shared >= needed]
        return [int(term) for term in terms[np.argsort(-shared, kind="stable")[:CANDIDATES]]]


def _pairs(word: str) -> set[str]:
    framed = f"<{word}>"
    return {framed[at : at + 2] for at in range(len(framed) - 1)}


def _consonants(word: str) -> str:
    """Return a word without its vowels, doubled letters once."""
    bare = word.translate(_VOWELS)
    return "".join(letter for at, letter in enumerate(bare) if not at or letter != bare[at - 1])


def _distance(left: str, right: str, limit: int) -> int:
    """Return the optimal string alignment distance, or more than `limit` once it must be."""
    if abs(len(left) - len(right)) > limit:
        return limit + 1
    before: list[int] = []
    last = list(range(len(right) + 1))
    for row, letter in enumerate(left, 1):
        line = [row]
        for column, other in enumerate(right, 1):
            cost = min(last[column] + 1, line[-1] + 1, last[column - 1] + (letter != other))
            swapped = row > 1 and column > 1 and letter == right[column - 2] and left[row - 2] == other
            line.append(min(cost, before[column - 2] + 1) if swapped else cost)
        if min(line) > limit:
            return limit + 1
        before, last = last, line
    return last[-1]
