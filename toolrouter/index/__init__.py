"""Text to searchable: embedders, the embedding cache, the vector index and the lexical index.

Above: `toolrouter.retrieval`, which asks all of them and fuses what they say. Below: `toolrouter.catalog`
for the tool text, `toolrouter.ports` for the seams. Heavy libraries load when an adapter is first used.
"""
