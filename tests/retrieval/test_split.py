"""Tasks and their steps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolrouter.retrieval.split import MAX_STEPS, split_steps


@pytest.mark.parametrize(
    ("task", "steps"),
    [
        (
            "Find the customer, look at her payments and give one back.",
            ["Find the customer", "look at her payments", "give one back."],
        ),
        ("Set the version to 2.0.1 and then redeploy it.", ["Set the version to 2.0.1", "redeploy it."]),
        ("Who won on Sunday, and what was the fastest lap?", ["Who won on Sunday", "what was the fastest lap?"]),
        ("Open the page. Click on Sign in.", ["Open the page.", "Click on Sign in."]),
        ("crea la rama y luego sube el archivo", ["crea la rama", "sube el archivo"]),
        ("Tabelle anlegen und dann Zeilen einfügen", ["Tabelle anlegen", "Zeilen einfügen"]),
        ("创建分支\uff0c然后上传文件", ["创建分支", "上传文件"]),
        ("list the files\nread the newest", ["list the files", "read the newest"]),
    ],
)
def test_a_task_falls_into_its_steps(task: str, steps: list[str]) -> None:
    assert split_steps(task) == steps


@pytest.mark.parametrize(
    "query",
    [
        "",
        "create an issue",
        "messages and channels of the workspace",
        "bill Acme 1,200 euros",
        "files named a, b and c",
        "send v2.0 to e.g. the team",
        "terms and conditions",
    ],
)
def test_a_single_step_is_not_split(query: str) -> None:
    assert split_steps(query) == []


def test_a_step_that_says_nothing_joins_its_neighbour() -> None:
    assert split_steps("OK. Find the file and read it to me. Thanks.") == [
        "OK. Find the file",
        "read it to me. Thanks.",
    ]


def test_a_long_list_of_steps_is_bounded() -> None:
    assert len(split_steps(". ".join(f"Open page {number}" for number in range(100)))) == MAX_STEPS


@given(st.text(max_size=300))
def test_any_text_can_be_split(query: str) -> None:
    steps = split_steps(query)
    assert len(steps) != 1
    assert all(step.strip() for step in steps)
