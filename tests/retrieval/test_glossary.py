"""English words for other languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolrouter.retrieval.glossary import gloss


@pytest.mark.parametrize(
    ("query", "english"),
    [
        ("eliminar el archivo", {"delete", "file"}),
        ("eine Datei in einen anderen Ordner verschieben", {"file", "folder", "move"}),
        ("envoyer un message dans le canal", {"send"}),
        ("создать новую задачу в проекте", {"create", "project"}),
        ("删除文件夹", {"delete", "folder"}),
        ("ファイルを検索", {"file", "search"}),
        ("메시지 보내기", {"message", "send"}),
        ("إنشاء ملف", {"create", "file"}),
        ("फ़ाइल हटाओ", {"delete", "file"}),
        ("Rechnung an den Kunden senden", {"invoice", "customer", "send"}),
        ("Milch auf die Einkaufsliste setzen", {"milk", "shopping"}),
        ("historial de dividendos de una acción", {"history", "dividend"}),
    ],
)
def test_common_words_get_their_english(query: str, english: set[str]) -> None:
    assert english <= set(gloss(query).split())


@pytest.mark.parametrize(
    "query",
    [
        "",
        "  ",
        "create an issue in GitHub",
        "stripe refund",
        "list tables",
        "plan de",
        "slak msg",
        "screensht of page",
        "42",
    ],
)
def test_english_and_unknown_text_stays_alone(query: str) -> None:
    assert gloss(query) == ""


@given(st.text(max_size=200))
def test_any_text_can_be_asked(query: str) -> None:
    assert isinstance(gloss(query), str)
