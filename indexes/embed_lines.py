"""Embeds the lines of `capabilities.txt` and `thesaurus.txt` with the model that ships, so that no first start has to.

python -m indexes.embed_lines
"""

import argparse

from toolrouter.index import related
from toolrouter.index.onnx_embedder import OnnxEmbedder
from toolrouter.index.shipped_vectors import CAPABILITIES, THESAURUS, ship, shipped_file
from toolrouter.retrieval.capabilities import capabilities


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    embedder = OnnxEmbedder(threads=2)
    lines = capabilities()
    ship(embedder.name, lines, embedder.embed_texts(lines), shipped_file(CAPABILITIES))
    related.ship(embedder, shipped_file(THESAURUS))


if __name__ == "__main__":
    main()
