"""Exports a sentence-transformers checkpoint to the int8 ONNX model that ships in the package.

    python -m indexes.export --checkpoint DIR --out toolrouter/data/model

The graph holds the encoder, mean pooling and normalisation: `input_ids`, `attention_mask` and
`token_type_ids` (int64, [n, length]) give `embedding` (float32, [n, dimensions], unit length).
"""

import argparse
import json
import logging
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger("export")


@dataclass(frozen=True, slots=True)
class Card:
    """What the manifest says beyond what the checkpoint says itself."""

    name: str
    version: str
    max_tokens: int
    base_model: str = "sentence-transformers/all-MiniLM-L6-v2"
    licence: str = "Apache-2.0"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True, help="folder or name of a sentence-transformers model")
    parser.add_argument("--out", type=Path, default=Path("toolrouter/data/model"))
    parser.add_argument("--name", default="toolrouter-minilm")
    parser.add_argument("--version", default="2")
    parser.add_argument("--max-tokens", type=int, default=128)
    arguments = parser.parse_args()
    from indexes.int8 import export  # torch and onnx: not needed to say what there is to say

    logging.basicConfig(level=logging.INFO)
    manifest = export(
        arguments.checkpoint,
        arguments.out,
        Card(name=arguments.name, version=arguments.version, max_tokens=arguments.max_tokens),
    )
    logger.info("%s", json.dumps(manifest["files"]))


if __name__ == "__main__":
    main()
