"""Turns whatever ends a command into a message on stderr and an exit status. The only place that does."""

from __future__ import annotations

import functools
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import ParamSpec

from toolrouter.cli.output import say
from toolrouter.errors import NotFound, ToolrouterError, UpstreamError

DONE, FAILED, USAGE, BUG, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 3, 130, 141
_P = ParamSpec("_P")


class UsageError(ToolrouterError):
    """The command line asks for something that makes no sense. Exit status 2."""


def guarded(command: Callable[_P, int | None]) -> Callable[_P, None]:
    """`command`, ending the process with the status it returned or with the one its error stands for."""

    @functools.wraps(command)
    def run(*arguments: _P.args, **options: _P.kwargs) -> None:
        try:
            status = command(*arguments, **options) or DONE
            sys.stdout.flush()
        except BaseException as error:  # noqa: BLE001 - the boundary: every outcome becomes a status
            status = status_of(error)
        sys.exit(status)

    return run


def status_of(error: BaseException) -> int:
    """Says on stderr what went wrong, and returns the exit status for it."""
    leaves = list(_leaves(error))
    if any(isinstance(leaf, SystemExit) for leaf in leaves):
        code = next(leaf.code for leaf in leaves if isinstance(leaf, SystemExit))
        return code if isinstance(code, int) else DONE if code is None else FAILED
    if any(isinstance(leaf, KeyboardInterrupt) for leaf in leaves):
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED
    if any(isinstance(leaf, BrokenPipeError) for leaf in leaves):
        # Whoever read our output has seen enough. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    if all(isinstance(leaf, ToolrouterError) for leaf in leaves):
        for leaf in leaves:
            say(f"toolrouter: {message_of(leaf)}")
        return USAGE if any(isinstance(leaf, UsageError) for leaf in leaves) else FAILED
    traceback.print_exception(error)
    print("toolrouter: this is a bug of toolrouter. Please report it with the lines above.", file=sys.stderr)
    return BUG


def message_of(error: BaseException) -> str:
    """One paragraph for a person: what happened, to which server, what comes near."""
    text = str(error) or type(error).__name__
    if isinstance(error, UpstreamError) and error.server not in text:
        text = f"{error.server}: {text}"
    if isinstance(error, NotFound) and error.near and "Did you mean" not in text:
        text = f"{text} Did you mean {' or '.join(f'`{name}`' for name in error.near[:3])}?"
    return text


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Task groups wrap what their tasks raised."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error
