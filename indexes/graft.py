"""Grafts words of other languages into the vocabulary of an English encoder.

    python -m indexes.graft --base CHECKPOINT --out DIR --english FILE...

An English WordPiece vocabulary spells `supprimer` or `удалить` in fragments without meaning. Each word
of the glossary becomes one token whose embedding starts as that of its English meaning; training then
has sentences to adjust, not words to discover. The FILEs (`tools.jsonl`) hold English texts: a word
that would change how any of them is tokenised stays out.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer

from indexes.glossary import read_glossary

if TYPE_CHECKING:
    import torch

logger = logging.getLogger("graft")

COMPOUNDING = ("de",)
MIN_LETTERS = 3
MIN_COMPOUND_LETTERS = 5
_HAN = re.compile(r"[\u3400-\u9fff]")
_KANA = re.compile(r"[\u3040-\u30ff]")


def new_tokens(tokenizer: Tokenizer, entries: Iterable[tuple[str, str, str]]) -> dict[str, list[str]]:
    """Return the English meanings of each token that the vocabulary lacks.

    A token starts with `##` when it continues a word, and with a space when it is matched in the raw
    text: Chinese characters, between which the pre-tokenizer would cut.
    """
    meanings: dict[str, list[str]] = defaultdict(list)
    vocabulary = tokenizer.get_vocab()
    for language, word, meaning in entries:
        for token in _tokens(tokenizer, language, word):
            if token.strip() not in vocabulary:
                meanings[token].append(meaning)
    return dict(meanings)


def _tokens(tokenizer: Tokenizer, language: str, word: str) -> list[str]:
    if _HAN.search(word):
        return [f" {word}"]
    pieces = [piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(word))]
    if len(pieces) != 1:
        return []
    (piece,) = pieces
    if _KANA.search(piece):
        return [piece, f"##{piece}"] if len(piece) > 1 else []
    if piece.isascii() and len(piece) < MIN_LETTERS:
        return []
    continues = language in COMPOUNDING and len(piece) >= MIN_COMPOUND_LETTERS
    return [piece, f"##{piece}"] if continues else [piece]


def grafted(tokenizer: Tokenizer, tokens: Iterable[str]) -> Tokenizer:
    """Return the tokenizer with further tokens, in their order, after the ones it has."""
    state: dict[str, Any] = json.loads(tokenizer.to_str())
    vocabulary = state["model"]["vocab"]
    for token in tokens:
        number, raw = len(vocabulary), token.startswith(" ")
        vocabulary[token.strip()] = number
        if raw:
            flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
            state["added_tokens"].append({"id": number, "content": token.strip(), **flags})
    return Tokenizer.from_str(json.dumps(state))


def without_collisions(tokenizer: Tokenizer, meanings: dict[str, list[str]], english: set[str]) -> dict[str, list[str]]:
    """Drop the tokens that would turn up inside an English word."""
    changed = grafted(tokenizer, meanings)
    used = {token for word in sorted(english) for token in changed.encode(word, add_special_tokens=False).tokens}
    kept = {token: meaning for token, meaning in meanings.items() if token.strip() not in used}
    logger.info("%d tokens, %d dropped: %s", len(kept), len(meanings) - len(kept), sorted(used & set(meanings))[:60])
    return kept


def english_words(files: Iterable[Path]) -> set[str]:
    words: set[str] = set()
    for file in files:
        text = unicodedata.normalize("NFKC", file.read_text(encoding="utf-8")).lower()
        words.update(re.findall(r"[a-z]{3,}", text))
    return words


def starting_rows(tokenizer: Tokenizer, table: torch.Tensor, meanings: Iterable[list[str]]) -> torch.Tensor:
    """Return for each token the mean embedding of its meanings' pieces, at their mean length."""
    import torch  # only where it is needed: --help does without

    rows = []
    for meaning in meanings:
        pieces = [number for text in meaning for number in tokenizer.encode(text, add_special_tokens=False).ids]
        vectors = table[torch.tensor(pieces)]
        mean = vectors.mean(0)
        rows.append(mean / mean.norm() * vectors.norm(dim=1).mean())
    return torch.stack(rows)


def graft(base: str, glossary: Path, english: Iterable[Path], out: Path) -> int:
    """Write the grafted checkpoint to `out` and return how many tokens it gained."""
    from sentence_transformers import SentenceTransformer
    from transformers import PreTrainedTokenizerFast

    model = SentenceTransformer(base, device="cpu")
    encoder = model[0].auto_model
    plain = Tokenizer.from_str(model.tokenizer.backend_tokenizer.to_str())
    plain.no_truncation()
    plain.no_padding()
    meanings = without_collisions(plain, new_tokens(plain, read_glossary(glossary)), english_words(english))
    before = encoder.get_input_embeddings().weight.shape[0]
    rows = starting_rows(plain, encoder.get_input_embeddings().weight.detach(), meanings.values())
    encoder.resize_token_embeddings(before + len(meanings), mean_resizing=False)
    encoder.get_input_embeddings().weight.data[before:] = rows
    special = {name: model.tokenizer.special_tokens_map[name] for name in model.tokenizer.special_tokens_map}
    model.save(str(out))
    PreTrainedTokenizerFast(
        tokenizer_object=grafted(plain, meanings), model_max_length=model.max_seq_length, **special
    ).save_pretrained(out)
    return len(meanings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--english", type=Path, nargs="*", default=[])
    parser.add_argument("--glossary", type=Path, default=Path(__file__).with_name("glossary.txt"))
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    logger.info("%d tokens added", graft(arguments.base, arguments.glossary, arguments.english, arguments.out))


if __name__ == "__main__":
    main()
