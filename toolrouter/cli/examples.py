"""Queries with the tools that serve them, as `eval` and `tune` take them: files, one's own tools, use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from toolrouter.cli.output import say

if TYPE_CHECKING:
    from toolrouter.config import Settings
    from toolrouter.evaluation.sets import EvalSet


def read_settings(config: Path | None, *, required: bool) -> tuple[Settings, Path | None]:
    """The settings and their file; defaults and None where no config is and none is needed. Raises ConfigError."""
    from toolrouter.config import Settings
    from toolrouter.errors import ConfigError
    from toolrouter.settings_file import load_settings

    try:
        loaded = load_settings(config)
    except ConfigError:
        if config or required:
            raise
        return Settings.model_validate({}), None
    return loaded.settings, loaded.path


def read_examples(queries: Path | None, tools: Path | None, *, from_log: bool, settings: Settings) -> EvalSet:
    """Queries over the tools of a file, else over those of the config; without any, the set that ships.

    Raises:
        UsageError: the sources contradict each other.
        ConfigError: one of them cannot be used.
    """
    from toolrouter.cli.errors import UsageError
    from toolrouter.errors import ConfigError
    from toolrouter.evaluation.own import own_catalog, own_events, own_set
    from toolrouter.evaluation.recorded import recorded_set
    from toolrouter.evaluation.sets import read_queries, read_set
    from toolrouter.evaluation.use_log import queries_from_log
    from toolrouter.settings_file import home_folder

    if queries and from_log:
        raise UsageError("--queries FILE (with --tools FILE for tools that are not yours) or --from-log, not both.")
    if tools and not queries:
        raise UsageError("--tools FILE needs --queries FILE: queries over those tools.")
    if queries and tools:
        return read_set(tools, queries)
    if queries:
        return own_set(own_catalog(settings, home_folder()), read_queries(queries))
    if from_log:
        logged = queries_from_log(own_events(home_folder()))
        if not logged:
            raise ConfigError("The log holds no search that a successful call followed; use toolrouter for a while.")
        return own_set(own_catalog(settings, home_folder()), logged)
    say("No queries given: taking those that ship with toolrouter, over recorded servers. Your own tell more.")
    return recorded_set()


def embedder_of(settings: Settings) -> str:
    """The embedder of the config, as people type it."""
    chosen = settings.router.embedder
    if chosen.kind == "openai":
        return f"openai:{chosen.url}#{chosen.model}"
    return f"{chosen.kind}:{chosen.model}" if chosen.kind != "builtin" else "builtin"
