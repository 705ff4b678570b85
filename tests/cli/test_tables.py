"""Tables on a terminal: numbers stay whole, whatever its width."""

import pytest

from toolrouter.cli.tables import drawn

MEASURES = ("R@1", "R@5", "R@10", "NDCG@10", "C@10", "S@1", "MRR@10", "server@5")
EVALUATED = ("kind", "n", *MEASURES, "returned", "tools", "tokens")
KINDS = ("all", "exact", "paraphrase", "task", "multi (sub-queries)")
TUNED = ("", "retriever", "lean", "k", "min_score", "token_budget", "found %", "tokens", "answered wrongly %")


def evaluated(*kinds: str) -> list[tuple[str, ...]]:
    return [(kind, "1,376", *["95.6 ±12"] * len(MEASURES), "100.0 ±9", "4.2", "1,558") for kind in kinds]


@pytest.mark.parametrize(("width", "parts"), [(80, 2), (120, 2), (140, 1), (50, 4)])
def test_a_table_that_is_too_wide_is_split_and_each_part_says_whose_its_numbers_are(width: int, parts: int) -> None:
    text = drawn(EVALUATED, evaluated(*KINDS), right=EVALUATED[1:], width=width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert text.count("95.6 ±12") == len(KINDS) * len(MEASURES)
    assert text.count("1,558") == len(KINDS)
    for kind in KINDS:
        assert sum(line.startswith(kind) for line in lines) == parts
    heads = [line.split()[1:] for line in lines if line.startswith("kind")]
    assert [name for head in heads for name in head] == list(EVALUATED[1:])


@pytest.mark.parametrize(("width", "lines"), [(80, 2 + len(TUNED) - 1), (120, 4)])
def test_a_table_of_few_rows_is_turned_where_it_is_too_wide(width: int, lines: int) -> None:
    rows = [
        (name, "hybrid", "-0.3", "8", "0.02", "1000", "94.0", "192", "47.9")
        for name in ("as it is now in the file", "tuned")
    ]
    text = drawn(TUNED, rows, right=TUNED[2:], width=width)
    assert len(text.splitlines()) == lines
    assert max(map(len, text.splitlines())) <= width
    assert text.count("0.02") == 2
    if width == 80:
        assert [line.split()[-1] for line in text.splitlines()[2:]] == list(rows[1][1:])


def test_headers_give_way_first_and_break_at_blanks() -> None:
    columns = ("", "answered wrongly %", "needed")
    text = drawn(columns, [("now", "4", "100.0 ±10")], right=columns[1:], width=25)
    assert [line.split() for line in text.splitlines()[:2]] == [["answered"], ["wrongly", "%", "needed"]]
    assert "100.0 ±10" in text


def test_text_is_folded_and_numbers_beside_it_are_not() -> None:
    rows = [("demo__tool", "1,234", "Says what it does " * 6)] * 9
    text = drawn(("name", "tokens", "about"), rows, right=("tokens",), width=60)
    assert text.count("1,234") == 9
    assert max(map(len, text.splitlines())) <= 60
    assert text.count("name") == 1


def test_what_no_terminal_could_hold_is_wider_than_it() -> None:
    text = drawn(("servers", "money"), [("all", "0.0489 → 0.0589")] * 9, right=("money",), width=10)
    assert text.count("0.0489 → 0.0589") == 9
