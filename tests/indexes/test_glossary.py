from collections import Counter
from pathlib import Path

import indexes
from indexes.glossary import LANGUAGES, read_glossary

GLOSSARY = Path(indexes.__file__).with_name("glossary.txt")


def test_every_line_has_a_column_for_every_language() -> None:
    words = Counter(language for language, _, _ in read_glossary(GLOSSARY))
    assert set(words) == set(LANGUAGES)
    assert min(words.values()) > 200


def test_meanings_are_english() -> None:
    assert all(meaning.isascii() for _, _, meaning in read_glossary(GLOSSARY))
