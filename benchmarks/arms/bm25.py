"""Okapi BM25 as bm25s has it, stemmed, without stop words, over `server name: description` with names split."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version

from benchmarks.arms import NotInstalled, Opened, Place
from toolrouter.evaluation.arms import retriever_arm
from toolrouter.evaluation.sets import EvalSet
from toolrouter.types import Hit, Retriever

ABOUT = "BM25 (bm25s, stemmed), text `server name: description` with names split"
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[_-]")


@contextmanager
def open_arm(found: EvalSet, _place: Place) -> Iterator[Opened]:
    yield Opened(retriever_arm(retriever(found)), {"bm25s": version("bm25s")})


def retriever(found: EvalSet) -> Retriever:
    """A reference should be strong: stemming and splitting are worth several points on most sets.

    Raises:
        NotInstalled: bm25s or PyStemmer is missing.
    """
    try:
        import bm25s
        import Stemmer
    except ImportError as error:
        raise NotInstalled("pip install bm25s PyStemmer") from error

    tokenize = partial(bm25s.tokenize, stopwords="en", stemmer=Stemmer.Stemmer("english"), show_progress=False)
    texts = [f"{tool.server} {_HUMP.sub(' ', tool.name)}: {tool.description}" for tool in found.tools]
    index = bm25s.BM25()
    index.index(tokenize(texts), show_progress=False)

    def search(query: str, k: int) -> list[Hit]:
        rows, scores = index.retrieve(tokenize([query]), k=min(k, len(texts)), show_progress=False)
        found_rows = zip(rows[0], scores[0], strict=True)
        return [Hit(found.tools[int(row)].id, float(score)) for row, score in found_rows if score > 0]

    return search
