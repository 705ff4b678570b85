"""Averages the weights of checkpoints that were trained from the same start.

    python -m indexes.mix --out DIR CHECKPOINT=WEIGHT...

The mean of a start and of what training made of it forgets less than the end of training alone, and the mean of
trainings on different sets generalises better than each (model soups, Wortsman et al. 2022).
"""

import argparse
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer


def mixed(states: list[tuple[dict[str, torch.Tensor], float]]) -> dict[str, torch.Tensor]:
    """Return the weighted mean of the states; whole numbers are the first's."""
    total = sum(weight for _, weight in states)
    first = states[0][0]
    return {
        name: sum(state[name] * (weight / total) for state, weight in states) if value.is_floating_point() else value
        for name, value in first.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("checkpoints", nargs="+", metavar="CHECKPOINT=WEIGHT")
    arguments = parser.parse_args()
    parts = [text.rpartition("=") for text in arguments.checkpoints]
    models = [SentenceTransformer(path, device="cpu") for path, _, _ in parts]
    states = [(model.state_dict(), float(weight)) for model, (_, _, weight) in zip(models, parts, strict=True)]
    models[0].load_state_dict(mixed(states))
    models[0].save(str(arguments.out))


if __name__ == "__main__":
    main()
