"""Makes training batches: clusters of sibling tools and of look-alikes from other servers."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from indexes.corpus import Corpus, Example, Tool, are_twins, misspell, self_supervised

SIBLINGS = 5
LOOK_ALIKES = 2
MASK, POSITIVE, NEGATIVE = -1, 1, 0


@dataclass(frozen=True, slots=True)
class Mix:
    """How often each kind of query is drawn when its tool comes up."""

    batch_tools: int = 48
    share: dict[str, float] | None = None
    """Probability by kind; kinds that are not named are always drawn."""
    typo: float = 0.12
    other_language: float = 0.12
    self_supervised: float = 0.1
    unanswerable: int = 4


@dataclass(frozen=True, slots=True)
class Batch:
    examples: list[Example]
    gold: list[list[Tool]]
    """By example."""
    tools: list[Tool]

    def labels(self, tools: list[Tool]) -> np.ndarray:
        """Return what each tool is to each query, [examples, tools]: POSITIVE, NEGATIVE or MASK."""
        return np.array([[_label(tool, gold) for tool in tools] for gold in self.gold], dtype=np.int8)


class Neighbours:
    """For each tool its nearest siblings and its nearest tools of other servers, by vectors of any kind."""

    def __init__(self, tools: list[Tool], vectors: np.ndarray, depth: int = 40) -> None:
        self.siblings: dict[str, list[str]] = {}
        self.look_alikes: dict[str, list[str]] = {}
        for start in range(0, len(tools), 512):
            scores = vectors[start : start + 512] @ vectors.T
            for tool, row in zip(tools[start : start + 512], scores, strict=True):
                near = [tools[i] for i in np.argsort(-row)[1:400]]
                self.siblings[tool.id] = [t.id for t in near if t.server == tool.server][:depth]
                others = (t for t in near if t.server != tool.server and not are_twins(t, tool))
                self.look_alikes[tool.id] = [t.id for _, t in zip(range(depth), others, strict=False)]


def epoch(corpus: Corpus, neighbours: Neighbours, mix: Mix, rng: random.Random) -> Iterator[Batch]:
    """Yield batches in which every tool with queries comes up once."""
    left = dict.fromkeys(rng.sample(sorted(corpus.examples), len(corpus.examples)))
    unanswerable = rng.sample(corpus.unanswerable, len(corpus.unanswerable))
    while left:
        chosen: list[str] = []
        while left and len(chosen) < mix.batch_tools:
            seed = next(iter(left))
            siblings = [i for i in neighbours.siblings[seed] if i in left][:SIBLINGS]
            others = [i for i in neighbours.look_alikes[seed] if i in left][:LOOK_ALIKES]
            for tool_id in (seed, *siblings, *others):
                left.pop(tool_id, None)
                chosen.append(tool_id)
        nothing = [unanswerable.pop() for _ in range(min(mix.unanswerable, len(unanswerable)))]
        yield make_batch(corpus, chosen, nothing, mix, rng)


def make_batch(corpus: Corpus, chosen: list[str], nothing: list[Example], mix: Mix, rng: random.Random) -> Batch:
    examples = [example for tool_id in chosen for example in draw(corpus, tool_id, mix, rng)] + nothing
    needed = [tool_id for example in examples for tool_id in example.relevant]
    tools = [corpus.tools[tool_id] for tool_id in dict.fromkeys((*chosen, *needed))]
    gold = [[corpus.tools[tool_id] for tool_id in example.relevant] for example in examples]
    return Batch(examples, gold, tools)


def draw(corpus: Corpus, tool_id: str, mix: Mix, rng: random.Random) -> list[Example]:
    share = mix.share or {}
    own = [e for e in corpus.examples[tool_id] if rng.random() < share.get(e.kind.split(":")[0], 1.0)]
    own = own or [rng.choice(corpus.examples[tool_id])]
    drawn = [vary(example, corpus, mix, rng) for example in own]
    if rng.random() < mix.self_supervised:
        drawn.append(self_supervised(corpus.tools[tool_id], rng))
    return drawn


def vary(example: Example, corpus: Corpus, mix: Mix, rng: random.Random) -> Example:
    """Misspell a query, put it into another language word by word, or, mostly, leave it as it is."""
    chance = rng.random()
    if chance < mix.typo:
        return Example(misspell(example.query, rng), example.relevant, "typo")
    if chance < mix.typo + mix.other_language and corpus.switch and not example.kind.startswith("lang"):
        return Example(corpus.switch(example.query, rng), example.relevant, "switched")
    return example


def _label(tool: Tool, gold: list[Tool]) -> int:
    if any(tool.id == other.id for other in gold):
        return POSITIVE
    return MASK if any(are_twins(tool, other) for other in gold) else NEGATIVE
