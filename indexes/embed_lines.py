"""Embeds the lines of `capabilities.txt` and `thesaurus.txt` with the model that ships, so that no first start has to.

python -m indexes.embed_lines
"""

from toolrouter.index import related, shipped_vectors
from toolrouter.index.onnx_embedder import OnnxEmbedder
from toolrouter.index.thesaurus import thesaurus
from toolrouter.retrieval.capabilities import capabilities


def main() -> None:
    embedder = OnnxEmbedder(threads=2)
    lines = capabilities()
    shipped_vectors.ship(embedder.name, lines, embedder.embed_texts(lines), shipped_vectors.shipped_file())
    related.ship(embedder.name, embedder.embed_queries(thesaurus().lines), related.shipped_file())


if __name__ == "__main__":
    main()
