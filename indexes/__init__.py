"""The workshop of the retrieval model that ships in `toolrouter/data/model`.

`graft` widens the vocabulary, `train` fine-tunes (with `corpus` and `batches`), `export` quantises to
ONNX, `evaluate_model` measures. Needs torch and sentence-transformers; the product needs none of it.
"""
