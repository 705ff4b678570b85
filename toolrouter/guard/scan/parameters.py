"""Parameters that carry off what the tool does not need: the conversation, the prompt, files, secrets.

The call itself is the leak, no instruction is needed: a model fills in what a parameter asks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from toolrouter.guard.scan.context import normal_name
from toolrouter.guard.scan.texts import Text
from toolrouter.guard.scan.vocabulary import parameter_pattern


@dataclass(frozen=True, slots=True)
class Carrier:
    """A parameter that asks for what the tool does not need."""

    rule: str
    where: str
    value: str


def find_carriers(texts: tuple[Text, ...], own_words: str) -> Iterator[Carrier]:
    """Yield suspicious parameters. `own_words` is the tool's name and description, which tell what it works with."""
    about_models = parameter_pattern("works_with_models").search(own_words.lower()) is not None
    for text in texts:
        if text.is_property:
            name = normal_name(text.value)
            if parameter_pattern("about_secrets").search(name):
                yield Carrier("parameter.secret", text.where, text.value)
            elif not about_models and parameter_pattern("about_the_model").match(name):
                yield Carrier("parameter.conversation", text.where, text.value)
        elif _describes_parameter(text) and parameter_pattern("asks_secrets").search(text.value.lower()):
            yield Carrier("parameter.secret", text.where, text.value)
        elif not about_models and _describes_parameter(text) and parameter_pattern("asks").search(text.value.lower()):
            yield Carrier("parameter.conversation", text.where, text.value)


def _describes_parameter(text: Text) -> bool:
    return "/properties/" in text.where and text.where.endswith("/description")
