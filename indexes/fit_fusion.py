"""Fits the weights of the fusion, and measures them.

    python -m indexes.fit_fusion --data DIR --out toolrouter/data/fusion/fusion.json [--cache FILE]

Weights are fitted on sets that may be trained on, and on catalogs sampled from one of them, where queries lack
their tool. Sets that may not be are measured alone. With `--leave-out` each fitted set is also measured under weights
that never saw it.
"""

import argparse
import json
import logging
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from indexes.fusion_examples import (
    Example,
    RememberingEmbedder,
    Row,
    read_rows,
    sampled_examples,
    set_examples,
)
from indexes.fusion_training import Recipe, answer_most, as_data, calibrate, pack, raise_named_servers, train
from toolrouter.evaluation.measures import completeness, judged, ndcg, recall
from toolrouter.evaluation.sets import Query
from toolrouter.index.onnx_embedder import OnnxEmbedder
from toolrouter.retrieval.features import FEATURES
from toolrouter.retrieval.fusion import DENSE, GENERIC, LEXICAL, Fusion

logger = logging.getLogger("fit_fusion")

FITTED = ("azure_mcp", "mongodb_mcp", "apibank", "toolalpaca", "bfcl_multi_turn", "metatool", "bfcl", "sealtools")
MEASURED = ("ours_dev", "mcptoolbench_pp", "ultratool", "mcpm_server_examples")
WHOLE = "train_queries"
WEIGHT_OF_WHOLE = 1.5
SAMPLED = {(WHOLE,): (2.0, 20), FITTED: (4.0, 50)}
"""Sets whose tools catalogs are sampled from, with the weight of their examples and the number of catalogs.

The model has seen the queries of the first in training, so that its similarities there are a little too good; but they
alone name products.
"""
NAMED_SERVER = 1.0
"""Added to the score of a tool whose server the query names. In the fitted sets few servers have rivals, so that they
teach less than what a person who names a server means."""
THRESHOLD_SET, ANSWERED = "ours_dev", 0.952
"""The threshold is where this share of the answerable queries of this set is answered."""
PER_CATALOG = 150
MOST_SAMPLED = 3_000
SEED = 20261121
OF_VECTORS = (
    "cosine",
    "cosine_below_best",
    "cosine_over_field",
    "dense_rank",
    "step_cosine",
    "step_rank",
    "best_cosine",
    "best_spread",
    "elsewhere",
)
OF_BOTH = ("words", "foreign", "steps")
ABSOLUTE = ("cosine", "step_cosine", "best_cosine", "elsewhere")
"""What depends on an embedder's own similarities."""
WITHOUT = {
    GENERIC: ABSOLUTE,
    LEXICAL: OF_VECTORS,
    DENSE: tuple(name for name in FEATURES if name not in (*OF_VECTORS, *OF_BOTH) or name in ABSOLUTE),
}
"""Profiles beside the built-in model's own, with the features they do not look at."""

Groups = dict[str, tuple[list[Example], float]]


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    options = _options()
    embedder = open_embedder(options.model, options.cache)
    queries = {name: limited(read_rows(options.data / name / "queries.jsonl"), options.limit) for name in options.sets}
    groups = fitted_groups(options.data, queries, embedder)
    groups |= sampled_groups(options.data, embedder)
    embedder.save()
    asked = read_rows(options.data / THRESHOLD_SET / "queries.jsonl")
    judged_on = set_examples(read_rows(options.data / THRESHOLD_SET / "tools.jsonl"), asked, embedder)
    profiles = fit_profiles(groups, embedder.model, judged_on)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    document = {"profiles": {name: as_data(fusion) for name, fusion in profiles.items()}}
    options.out.write_text(json.dumps(document) + "\n", encoding="utf-8")
    for name in options.measured:
        rows = limited(read_rows(options.data / name / "queries.jsonl"), options.limit)
        examples = set_examples(read_rows(options.data / name / "tools.jsonl"), rows, embedder)
        show(name, rows, examples, {"fitted": profiles[embedder.model], "lexical": profiles[LEXICAL]})
    embedder.save()
    if options.leave_out:
        leave_out(groups, queries)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with one folder per set")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="folder of the exported model; the shipped one when left out")
    parser.add_argument("--cache", type=Path, help="file that keeps embeddings between runs (.npz)")
    parser.add_argument("--sets", nargs="*", default=list(FITTED))
    parser.add_argument("--measured", nargs="*", default=list(MEASURED))
    parser.add_argument("--limit", type=int, default=1_000, help="most queries of a set")
    parser.add_argument("--leave-out", action="store_true")
    return parser.parse_args()


def open_embedder(model: Path | None, cache: Path | None) -> RememberingEmbedder:
    embedder = OnnxEmbedder(threads=2, folder=model)
    return RememberingEmbedder(embedder, cache, model=embedder.model)


def limited(rows: Sequence[Row], count: int) -> list[Row]:
    return list(rows) if len(rows) <= count else random.Random(SEED).sample(list(rows), count)


def fitted_groups(data: Path, queries: Mapping[str, Sequence[Row]], embedder: RememberingEmbedder) -> Groups:
    """Return an example per query over the whole catalog of each set."""
    groups: Groups = {}
    for name, rows in queries.items():
        groups[name] = (set_examples(read_rows(data / name / "tools.jsonl"), rows, embedder), 1.0)
        logger.info("%s: %d examples", name, len(groups[name][0]))
    asked = [row for row in read_rows(data / WHOLE / "queries.jsonl") if row["relevant"]]
    tools = read_rows(data / WHOLE / "tools.jsonl")
    groups[WHOLE] = (set_examples(tools, limited(asked, 3_000), embedder), WEIGHT_OF_WHOLE)
    return groups


def sampled_groups(data: Path, embedder: RememberingEmbedder) -> Groups:
    """Return examples over sampled catalogs, many of them without an answer."""
    groups: Groups = {}
    for names, (weight, catalogs) in SAMPLED.items():
        tools = [row for name in names for row in read_rows(data / name / "tools.jsonl")]
        asked = [row for name in names for row in limited(read_rows(data / name / "queries.jsonl"), MOST_SAMPLED)]
        found = sampled_examples(tools, asked, embedder, catalogs=catalogs, per_catalog=PER_CATALOG, seed=SEED)
        groups[f"{'+'.join(names)}, sampled"] = (found, weight)
        logger.info("%s: %d examples", f"{len(names)} sets, sampled", len(found))
    return groups


def fit_profiles(groups: Groups, model: str, judged_on: Sequence[Example]) -> dict[str, Fusion]:
    """Return the fusion of the built-in model, of any other embedder, of words and of vectors alone."""
    profiles = {}
    for name, without in {model: (), **WITHOUT}.items():
        start = time.perf_counter()
        profiles[name] = answer_most(fit(groups, without=without), judged_on, share=ANSWERED)
        logger.info("%s: fitted in %.0f s", name, time.perf_counter() - start)
    return profiles


def fit(groups: Groups, *, without: Sequence[str] = ()) -> Fusion:
    values = list(groups.values())
    # Only sampled catalogs have queries without an answer in the share that probabilities are fitted to.
    sampled = [group for name, group in groups.items() if name.endswith("sampled")]
    trained = train(pack(values), Recipe(), without=without)
    return calibrate(raise_named_servers(trained, NAMED_SERVER), sampled)


def leave_out(groups: Groups, queries: Mapping[str, Sequence[Row]]) -> None:
    for name in queries:
        fusion = fit({other: group for other, group in groups.items() if name not in _sets_of(other)})
        show(name, queries[name], groups[name][0], {"unseen": fusion})


def _sets_of(group: str) -> list[str]:
    return group.partition(",")[0].split("+")


def show(name: str, rows: Sequence[Row], examples: Sequence[Example], fusions: Mapping[str, Fusion]) -> None:
    """Log the measures of each fusion and of its parts, and who would be answered, by kind."""
    cosine, words = FEATURES.index("cosine"), FEATURES.index("bm25")
    scorers = {
        "dense": [example.table[:, cosine] for example in examples],
        "words": [example.table[:, words] for example in examples],
        **{label: [fusion.scores(example.table) for example in examples] for label, fusion in fusions.items()},
    }
    for kind in ("", *sorted({_kind(row) for row in rows if _kind(row)})):
        chosen = [at for at, row in enumerate(rows) if row["relevant"] and kind in ("", _kind(row))]
        if chosen:
            for label, scores in scorers.items():
                values = np.mean([_measures(rows[at], examples[at], scores[at]) for at in chosen], axis=0) * 100
                line = " ".join(f"{value:5.1f}" for value in values)
                logger.info("%-20s %-10s %-8s n=%-4d R@1 R@5 R@10 N@10 C@10  %s", name, kind, label, len(chosen), line)


def _kind(row: Row) -> str:
    return str(row.get("kind", "")).split(":")[0]


def _measures(row: Row, example: Example, scores: Sequence[float]) -> list[float]:
    order = [example.candidates[at] for at in np.argsort(-np.asarray(scores), kind="stable")]
    ranked = [*example.named, *order]
    query = Query(
        id=example.id,
        text="",
        relevant=tuple(row["relevant"]),
        alt={gold: tuple(twins) for gold, twins in (row.get("alt") or {}).items()},
    )
    one = judged(query, ranked, {})
    return [recall(one, 1), recall(one, 5), recall(one, 10), ndcg(one, 10), completeness(one, 10)]


if __name__ == "__main__":
    main()
