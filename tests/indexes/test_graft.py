"""New words in an old vocabulary; needs the model workshop."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from indexes.graft import grafted, new_tokens, without_collisions

pytestmark = pytest.mark.model


@pytest.fixture
def tokenizer() -> Tokenizer:
    words = ["[UNK]", "list", "##s", "file", "l", "##e", "##n", "日"]
    made = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return made


def test_a_new_word_becomes_one_token_behind_the_old_ones(tokenizer: Tokenizer) -> None:
    tokens = new_tokens(tokenizer, [("fr", "Créer", "create")])
    changed = grafted(tokenizer, tokens)
    assert changed.encode("créer lists").tokens == ["creer", "list", "##s"]
    assert changed.token_to_id("creer") == tokenizer.get_vocab_size()


def test_words_of_chinese_characters_are_found_inside_a_sentence(tokenizer: Tokenizer) -> None:
    changed = grafted(tokenizer, new_tokens(tokenizer, [("zh", "文件", "file"), ("zh", "日", "day")]))
    assert "文件" in changed.encode("日文件").tokens
    assert changed.get_vocab_size() == tokenizer.get_vocab_size() + 1


def test_words_that_would_split_an_english_word_stay_out(tokenizer: Tokenizer) -> None:
    tokens = new_tokens(tokenizer, [("de", "liste", "list"), ("de", "Datei", "file")])
    assert set(without_collisions(tokenizer, tokens, {"listen"})) == {"##liste", "datei", "##datei"}
