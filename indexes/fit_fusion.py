"""Fits the weights of the fusion, and measures them.

    python -m indexes.fit_fusion --data DIR --out toolrouter/data/fusion/fusion.json [--cache FILE]

Weights are fitted on sets that may be trained on, and on catalogs sampled from them, where queries lack their tool.
Sets that may not be are measured alone. With `--leave-out` each fitted set is also measured under weights that never
saw it. Similarities of queries that the model was trained on are too good to learn from: `--unseen SET=FOLDER` names
for a set a model that was trained without it, and over the tools of our own set mostly those of `queries.jsonl` are
asked that training leaves out.
"""

import argparse
import json
import logging
import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexes.corpus import QUERIES, is_held_out, make_tool, phrase
from indexes.fusion_examples import (
    Example,
    RememberingEmbedder,
    Row,
    read_rows,
    sampled_examples,
    set_examples,
)
from indexes.fusion_training import Recipe, answer_most, as_data, calibrate, pack, raise_features, train
from toolrouter.evaluation.measures import completeness, judged, ndcg, recall
from toolrouter.evaluation.sets import Query
from toolrouter.index.onnx_embedder import OnnxEmbedder
from toolrouter.retrieval.features import FEATURES
from toolrouter.retrieval.fusion import DENSE, GENERIC, LEXICAL, Fusion

logger = logging.getLogger("fit_fusion")

FITTED = ("azure_mcp", "mongodb_mcp", "apibank", "toolalpaca", "bfcl_multi_turn", "metatool", "bfcl", "sealtools")
WEIGHTS = {"mongodb_mcp": 3.0, "apibank": 2.0}
"""Of sets that are too small to be heard otherwise; all others weigh 1."""
MEASURED = ("ours_dev", "mcptoolbench_pp", "ultratool", "mcpm_server_examples")
WHOLE = "train_queries"
SEEN_KINDS = ("lang", "short", "multi", "none")
WEIGHTS_OF_OWN = {"task": 3.0, "para": 3.0, "need": 3.0, "phrase": 3.0, "multi": 1.0, "lang": 1.0, "short": 0.5}
"""By kind: what people ask of real servers counts more than what is asked of the sets' made-up ones."""
STRANGERS = ("metatool", "apibank")
"""Sets whose queries are asked of catalogs that have none of their tools: what people ask of assistants of any kind."""
SAMPLED_WHOLE, SAMPLED_FITTED = (3.0, 30), (3.0, 40)
"""The weight of examples over catalogs sampled from our own set and from the others, and the number of catalogs."""
BONUS = {"server_named": 1.0, "related_cosine": 2.0, "reworded_cosine": 4.0, "same_number": 0.5, "other_number": -0.5}
"""Added to what was fitted, for each unit of these features. In the fitted sets few servers have rivals, so that they
teach less than what a person who names a server means; and their queries repeat the words of tools more than people's
do, so that they teach too little of what people call things, and in which number."""
THRESHOLD_SET, ANSWERED = "ours_dev", 0.975
"""The threshold is where this share of the answerable queries of this set is answered."""
MOST_SAMPLED = 3_000
PHRASES = 1_200
SEED = 20261121
OF_NONE = ("lines_elsewhere", "product_elsewhere")
"""What is known of a query alone and counts by `fusion.ELSEWHERE`."""
OF_RELATED = tuple(name for name in FEATURES if name.startswith(("related_", "reworded_")))
"""What the thesaurus says; known with the built-in model alone."""
OF_VECTORS = (
    "cosine",
    "cosine_below_best",
    "cosine_over_field",
    "dense_rank",
    *OF_RELATED,
    "step_cosine",
    "step_rank",
    "best_cosine",
    "best_spread",
    "elsewhere",
)
OF_BOTH = ("words", "foreign", "steps")
OF_THE_MODEL = ("cosine", "step_cosine", "best_cosine", "elsewhere", *OF_RELATED)
"""What depends on an embedder's own similarities, or is not known with others."""
WITHOUT = {
    GENERIC: OF_THE_MODEL,
    LEXICAL: OF_VECTORS,
    DENSE: tuple(name for name in FEATURES if name not in (*OF_VECTORS, *OF_BOTH) or name in OF_THE_MODEL),
}
"""Profiles beside the built-in model's own, with the features they do not look at."""

Groups = dict[str, tuple[list[Example], float]]


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    options = _options()
    embedder = open_embedder(options.model, options.cache)
    folders = {folder: open_embedder(Path(folder), options.cache) for _, _, folder in options.unseen}
    unseen = {name: folders[folder] for name, _, folder in options.unseen}
    queries = {name: limited(read_rows(options.data / name / "queries.jsonl"), options.limit) for name in options.sets}
    own = own_rows(options.data / WHOLE)
    groups = fitted_groups(options.data, queries, {name: unseen.get(name, embedder) for name in queries})
    groups |= own_groups(own, embedder)
    groups |= sampled_groups(options.data, {name: unseen.get(name, embedder) for name in queries})
    groups |= sampled_from_own(own, unseen.get(STRANGERS[0], embedder), options.data)
    asked = read_rows(options.data / THRESHOLD_SET / "queries.jsonl")
    judged_on = set_examples(read_rows(options.data / THRESHOLD_SET / "tools.jsonl"), asked, embedder)
    for each in (embedder, *folders.values()):
        each.save()
    profiles = fit_profiles(groups, embedder.model, judged_on)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    document = {"profiles": {name: as_data(fusion) for name, fusion in profiles.items()}}
    options.out.write_text(json.dumps(document) + "\n", encoding="utf-8")
    for name in options.measured:
        rows = limited(read_rows(options.data / name / "queries.jsonl"), options.limit)
        examples = set_examples(read_rows(options.data / name / "tools.jsonl"), rows, embedder)
        show(name, rows, examples, {"fitted": profiles[embedder.model], "lexical": profiles[LEXICAL]})
    if options.leave_out:
        leave_out(groups, queries)
    for each in (embedder, *folders.values()):
        each.save()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with one folder per set")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="folder of the exported model; the shipped one when left out")
    parser.add_argument("--cache", type=Path, help="file that keeps embeddings between runs (.npz)")
    parser.add_argument("--unseen", nargs="*", default=[], type=lambda text: text.partition("="), metavar="SET=FOLDER")
    parser.add_argument("--sets", nargs="*", default=list(FITTED))
    parser.add_argument("--measured", nargs="*", default=list(MEASURED))
    parser.add_argument("--limit", type=int, default=1_000, help="most queries of a set")
    parser.add_argument("--leave-out", action="store_true")
    return parser.parse_args()


def open_embedder(model: Path | None, cache: Path | None) -> RememberingEmbedder:
    embedder = OnnxEmbedder(threads=2, folder=model)
    path = cache.with_name(f"{cache.stem}-{embedder.name}.npz") if cache else None
    return RememberingEmbedder(embedder, path, model=embedder.model)


def limited(rows: Sequence[Row], count: int) -> list[Row]:
    return list(rows) if len(rows) <= count else random.Random(SEED).sample(list(rows), count)


@dataclass(frozen=True, slots=True)
class OwnRows:
    """The tools of our own training set, and what is asked of them."""

    tools: list[Row]
    asked: list[Row]


def own_rows(folder: Path) -> OwnRows:
    """Return the queries that the model has not seen, and those it has of the kinds that are among no others."""
    tools = read_rows(folder / "tools.jsonl")
    server = {tool["id"]: tool["server"] for tool in tools}
    seen = [row for row in read_rows(folder / "queries.jsonl") if row["kind"].split(":")[0] in SEEN_KINDS]
    unseen = [row for row in read_rows(QUERIES) if all(is_held_out(server[tool]) for tool in row["relevant"])]
    return OwnRows(tools, [*limited(unseen, MOST_SAMPLED), *seen, *_phrases(tools)])


def own_groups(own: OwnRows, embedder: RememberingEmbedder) -> Groups:
    """Return an example per query over all the tools of our own set, a group for each kind."""
    examples = set_examples(own.tools, [row for row in own.asked if row["relevant"]], embedder)
    kinds = {kind: [each for each in examples if each.kind.split(":")[0] == kind] for kind in WEIGHTS_OF_OWN}
    return {f"{WHOLE}, {kind}": (found, WEIGHTS_OF_OWN[kind]) for kind, found in kinds.items() if found}


def _phrases(tools: Sequence[Row]) -> list[Row]:
    """Return queries in the tools' own words: those who wrote the others avoided them."""
    rng = random.Random(SEED)
    return [
        {
            "id": f"phrase {tool['id']}",
            "kind": "phrase",
            "query": phrase(make_tool(tool), rng),
            "relevant": [tool["id"]],
        }
        for tool in limited(tools, PHRASES)
    ]


def fitted_groups(
    data: Path, queries: Mapping[str, Sequence[Row]], embedders: Mapping[str, RememberingEmbedder]
) -> Groups:
    """Return an example per query over the whole catalog of each set."""
    groups: Groups = {}
    for name, rows in queries.items():
        examples = set_examples(read_rows(data / name / "tools.jsonl"), rows, embedders[name])
        groups[name] = (examples, WEIGHTS.get(name, 1.0))
        logger.info("%s: %d examples", name, len(groups[name][0]))
    return groups


def sampled_groups(data: Path, embedders: Mapping[str, RememberingEmbedder]) -> Groups:
    """Return examples over catalogs sampled from the sets of each embedder, many of them without an answer."""
    groups: Groups = {}
    together: dict[int, list[str]] = defaultdict(list)
    for name, embedder in embedders.items():
        together[id(embedder)].append(name)
    weight, catalogs = SAMPLED_FITTED
    for names in together.values():
        asked, count = _queries(data, names), catalogs // len(together)
        found = sampled_examples(read_all(data, names), asked, embedders[names[0]], catalogs=count, seed=SEED)
        groups[f"{'+'.join(names)}, sampled"] = (found, weight / len(together))
    return groups


def sampled_from_own(own: OwnRows, embedder: RememberingEmbedder, data: Path) -> Groups:
    """Return examples over catalogs of our own set's servers, asked for what the tools of other sets do as well."""
    weight, catalogs = SAMPLED_WHOLE
    asked, strangers = [*own.asked, *_queries(data, STRANGERS)], read_all(data, STRANGERS)
    found = sampled_examples(own.tools, asked, embedder, catalogs=catalogs, seed=SEED, strangers=strangers)
    return {f"{WHOLE}, sampled": (found, weight)}


def read_all(data: Path, names: Sequence[str]) -> list[Row]:
    return [row for name in names for row in read_rows(data / name / "tools.jsonl")]


def _queries(data: Path, names: Sequence[str]) -> list[Row]:
    return [row for name in names for row in limited(read_rows(data / name / "queries.jsonl"), MOST_SAMPLED)]


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
    trained = train(pack(values), Recipe(), without=(*OF_NONE, *without))
    return calibrate(raise_features(trained, BONUS), sampled)


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
