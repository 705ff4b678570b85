"""Embeds the lines of `toolrouter/data/capabilities.txt` with the model that ships, so that no first start has to.

python -m indexes.embed_capabilities
"""

from toolrouter.index.onnx_embedder import OnnxEmbedder
from toolrouter.index.shipped_vectors import ship, shipped_file
from toolrouter.retrieval.capabilities import capabilities


def main() -> None:
    embedder = OnnxEmbedder(threads=2)
    ship(embedder.name, capabilities(), embedder.embed_texts(capabilities()), shipped_file())


if __name__ == "__main__":
    main()
