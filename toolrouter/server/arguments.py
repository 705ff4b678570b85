"""Checks the arguments of a call against the schema of its tool, at a bounded cost.

Schemas come from upstreams, so they are not trusted with our time: nothing is fetched, no regular expression is run,
and a check that takes too long is given up. What is left unchecked here, the upstream checks itself.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from toolrouter.types import JsonObject, Tool

MAX_FAULTS = 5
_MAX_FAULT_CHARS = 240
_MAX_CACHED = 512
_TIME_LIMIT_S = 0.05
_NOT_CHECKED = ("pattern", "patternProperties", "unevaluatedItems", "unevaluatedProperties")
"""Keywords that run foreign regular expressions or whose cost grows with the square of the input."""
_MAX_UNIQUE_ITEMS = 500

Keyword = Callable[[Any, Any, Any, JsonObject], Any]


class _TookTooLong(Exception):
    pass


class _Limit:
    """Processor time, which a busy machine does not use up; its clock costs as much as a check, so it starts late."""

    def start(self) -> None:
        self._soon = time.perf_counter() + _TIME_LIMIT_S
        self._deadline: float | None = None

    def check(self) -> None:
        """Raises _TookTooLong. What took no longer by the clock on the wall took no longer."""
        if time.perf_counter() <= self._soon:
            return
        now = time.thread_time()
        if self._deadline is None:
            self._deadline = now + _TIME_LIMIT_S
        elif now > self._deadline:
            raise _TookTooLong


def as_object(arguments: object) -> JsonObject | None:
    """The arguments as an object: null is an empty one, JSON text of an object is that object. None when neither."""
    if arguments is None:
        return {}
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments) if arguments.strip() else {}
        except (ValueError, RecursionError):
            return None
    return arguments if isinstance(arguments, dict) else None


class ArgumentChecks:
    """Compiled checks by definition hash. For one thread: the event loop's."""

    def __init__(self) -> None:
        self._compiled: OrderedDict[str, Any] = OrderedDict()
        self._classes: dict[str, Any] = {}
        self._limit = _Limit()

    @staticmethod
    def load() -> None:
        """Imports the checking library, which takes a fifth of a second; later imports cost nothing."""
        import jsonschema  # noqa: F401

    def faults(self, tool: Tool, arguments: JsonObject) -> list[str]:
        """What is wrong with the arguments, at most MAX_FAULTS lines; none when all is well or nobody can tell."""
        import jsonschema.exceptions
        import referencing.exceptions

        self._limit.start()
        try:
            found = list(islice(self._validator(tool).iter_errors(_given(tool, arguments)), MAX_FAULTS))
        except (
            _TookTooLong,
            RecursionError,
            jsonschema.exceptions.UnknownType,
            referencing.exceptions.Unresolvable,
            # What a malformed schema does to the library: {"properties": 3}, {"multipleOf": 0}, ...
            ArithmeticError,
            AttributeError,
            KeyError,
            TypeError,
            ValueError,
        ):
            return []
        return [_words(error) for error in found]

    def _validator(self, tool: Tool) -> Any:
        if tool.hash in self._compiled:
            self._compiled.move_to_end(tool.hash)
            return self._compiled[tool.hash]
        import referencing

        # Given a registry, the library looks nowhere else; without one it would fetch remote references.
        compiled = self._class_for(tool.input_schema)(tool.input_schema, registry=referencing.Registry())
        self._compiled[tool.hash] = compiled
        if len(self._compiled) > _MAX_CACHED:
            self._compiled.popitem(last=False)
        return compiled

    def _class_for(self, schema: JsonObject) -> Any:
        import jsonschema

        drafts = {
            "http://json-schema.org/draft-03/schema": jsonschema.Draft3Validator,
            "http://json-schema.org/draft-04/schema": jsonschema.Draft4Validator,
            "http://json-schema.org/draft-06/schema": jsonschema.Draft6Validator,
            "http://json-schema.org/draft-07/schema": jsonschema.Draft7Validator,
            "https://json-schema.org/draft/2019-09/schema": jsonschema.Draft201909Validator,
        }
        declared = schema.get("$schema")
        base = drafts.get(declared.rstrip("#") if isinstance(declared, str) else "", jsonschema.Draft202012Validator)
        if base.__name__ not in self._classes:
            self._classes[base.__name__] = self._bounded(base)
        return self._classes[base.__name__]

    def _bounded(self, base: Any) -> Any:
        from jsonschema import validators

        keywords: dict[str, Keyword] = {name: self._timed(check) for name, check in base.VALIDATORS.items()}
        keywords.update({name: _nothing for name in _NOT_CHECKED if name in keywords})
        keywords["additionalProperties"] = _unless_patterns(keywords["additionalProperties"])
        if "uniqueItems" in keywords:
            keywords["uniqueItems"] = _unless_long(keywords["uniqueItems"])
        extend: Callable[..., Any] = validators.extend
        return extend(base, validators=keywords)

    def _timed(self, check: Keyword) -> Keyword:
        def timed(validator: Any, value: Any, instance: Any, schema: JsonObject) -> Iterator[Any]:
            self._limit.check()
            yield from check(validator, value, instance, schema) or ()

        return timed


def _given(tool: Tool, arguments: JsonObject) -> JsonObject:
    """Without what is null and optional: models write null for "not given", and servers read it so."""
    if None not in arguments.values():
        return arguments
    required = tool.input_schema.get("required")
    needed = required if isinstance(required, list) else ()
    return {name: value for name, value in arguments.items() if value is not None or name in needed}


def _nothing(validator: Any, value: Any, instance: Any, schema: JsonObject) -> tuple[()]:
    return ()


def _unless_patterns(check: Keyword) -> Keyword:
    """`additionalProperties` beside `patternProperties` needs the patterns, which are not run."""

    def checked(validator: Any, value: Any, instance: Any, schema: JsonObject) -> Any:
        return () if "patternProperties" in schema else check(validator, value, instance, schema)

    return checked


def _unless_long(check: Keyword) -> Keyword:
    def checked(validator: Any, value: Any, instance: Any, schema: JsonObject) -> Any:
        long = isinstance(instance, list) and len(instance) > _MAX_UNIQUE_ITEMS
        return () if long else check(validator, value, instance, schema)

    return checked


def _words(error: Any) -> str:
    where = ".".join(str(step) for step in error.absolute_path)
    message = error.message if len(error.message) <= _MAX_FAULT_CHARS else error.message[:_MAX_FAULT_CHARS] + "…"
    return f"{where}: {message}" if where else message
