"""Logs: one line per record on stderr for people, one JSON object per record in a rotating file for tools.

Stdout is never written to: on stdio it belongs to the protocol. Secrets are masked in everything that is written.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from unicodedata import category

MASK = "***"
_LARGEST_FILE = 5 * 2**20
_FILES = 3
_SHORTEST_SECRET = 6
"""Shorter values ("1", "true", "8080") are no secrets, and masking them would make every line unreadable."""
_TELLTALE = re.compile(
    r"(?P<lead>\b(?:authorization|proxy-authorization|x-api-key|cookie)['\"]?\s*[:=]\s*['\"]?(?:(?:bearer|basic|token)\s+)?"
    r"|\b(?:bearer|basic)\s+"
    r"|[?&](?:access_token|api_?key|key|token|secret|password)="
    r"|\b(?:password|passwd|pwd|client[_-]?secret|(?:api|access|private|secret)[_-]?key|(?:access|refresh|id)[_-]token)"
    r"['\"]?\s*[:=]\s*['\"]?"
    r"|://[^/\s:@]{0,64}:(?=[^/\s@]{1,256}@))"
    r"(?P<secret>[^\s'\"&,;@]{4,})"
    r"|\b(?:sk|rk|ghp|gho|ghs|ghu|ghr|github_pat|glpat|xox[abeprs]|hf|npm|pypi|dop_v1)[-_][A-Za-z0-9_-]{10,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[\w-]{30,}|\bya29\.[\w-]{16,}|\bSG\.[\w-]{16,}\.[\w-]{16,}"
    r"|\beyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*"
    r"|-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----.{0,8192}?(?:-----END [A-Z ]{0,20}PRIVATE KEY-----|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class Masking:
    """Replaces known secrets, and what looks like one, in a text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}
        # A secret may reach a record as it is, or inside of JSON or repr, where it is escaped.
        known |= {written(secret)[1:-1] for secret in known for written in (json.dumps, repr)}
        longest_first = sorted(known, key=lambda secret: (-len(secret), secret))
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __call__(self, text: str) -> str:
        if self._known:
            text = self._known.sub(MASK, text)
        return _TELLTALE.sub(lambda found: (found["lead"] or "") + MASK, text)


_MORE_SECRETS: set[str] = set()


def configure_masking(secrets: Iterable[str]) -> None:
    """Masks these too from now on. What was secret before stays so: it may still stand in what is logged next."""
    _MORE_SECRETS.update(secrets)
    masking = Masking(_MORE_SECRETS)
    for handler in logging.getLogger().handlers:
        if isinstance(formatter := handler.formatter, LineFormatter | JsonFormatter):
            formatter.masking = masking


class LineFormatter(logging.Formatter):
    """`12:31:29 warning  toolrouter.upstream  message  key=value`."""

    def __init__(self, masking: Masking) -> None:
        super().__init__()
        self.masking = masking

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        extra = "".join(f"  {key}={value}" for key, value in _extra(record).items())
        text = f"{_message(record)}{extra}{_traceback(self, record)}"
        # What a server said steers no terminal, and none of its lines looks like one of ours.
        shown = _escaped(self.masking(text), but="\n\t").replace("\n", "\n    ")
        return f"{when} {record.levelname.lower():8}{record.name}  {shown}"


class JsonFormatter(logging.Formatter):
    """One JSON object: time (UTC), level, logger, message, process, what the caller added, traceback."""

    def __init__(self, masking: Masking) -> None:
        super().__init__()
        self.masking = masking

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": self.masking(_message(record)),
        }
        fields.update({key: self.masking(str(value)) for key, value in _extra(record).items()})
        traceback = _traceback(self, record)
        if traceback:
            fields["traceback"] = self.masking(traceback.lstrip("\n"))
        return _escaped(json.dumps(fields, ensure_ascii=False))


def configure_logs(
    *, level: str = "info", home: Path | None = None, secrets: Iterable[str] = (), stderr_level: str | None = None
) -> None:
    """Sends all logs of the process to stderr, and to `home/logs/toolrouter.log` when a home is given.

    Calling it again replaces what it set up before. A home that cannot be written costs the file, not the process.
    """
    _MORE_SECRETS.clear()
    _MORE_SECRETS.update(secrets)
    masking = Masking(_MORE_SECRETS)
    root = logging.getLogger()
    for handler in [each for each in root.handlers if getattr(each, "of_toolrouter", False)]:
        root.removeHandler(handler)
        handler.close()
    to_stderr = logging.StreamHandler(sys.stderr)
    to_stderr.setFormatter(LineFormatter(masking))
    to_stderr.setLevel((stderr_level or level).upper())
    _install(root, to_stderr)
    if home is not None:
        _install_file(root, home / "logs" / "toolrouter.log", masking, level)
    root.setLevel(min(logging.getLevelNamesMapping()[each.upper()] for each in (level, stderr_level or level)))
    # Libraries that tell about every request at level info.
    for chatty in ("faiss", "httpx", "httpx2", "httpcore", "httpcore2", "mcp", "asyncio", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _install(root: logging.Logger, handler: logging.Handler) -> None:
    handler.of_toolrouter = True  # type: ignore[attr-defined]
    root.addHandler(handler)


def _install_file(root: logging.Logger, path: Path, masking: Masking, level: str) -> None:
    try:
        for folder in (path.parent.parent, path.parent):  # `parents` would make the upper one for everybody
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Opened by hand once, so that the file is the owner's alone from its first byte.
        os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
        handler = _QuietRotation(path, maxBytes=_LARGEST_FILE, backupCount=_FILES - 1, encoding="utf-8")
    except OSError as error:
        logging.getLogger(__name__).warning("no log file: %s cannot be written: %s", path, error.strerror or error)
        return
    handler.setFormatter(JsonFormatter(masking))
    handler.setLevel(level.upper())
    _install(root, handler)


class _QuietRotation(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """A full disk must not fill stderr with a traceback per record."""


def is_shown(char: str) -> bool:
    """Whether a person sees it, or others look wrong without it: blanks of all scripts, joiners of letters."""
    return char.isprintable() or char in "\u200c\u200d" or category(char) == "Zs"


def _escaped(text: str, but: str = "") -> str:
    """With what does not show written out as JSON does."""
    unseen = {ord(char): json.dumps(char)[1:-1] for char in set(text) if not (is_shown(char) or char in but)}
    return text.translate(unseen)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):
        return f"{record.msg} {record.args}"


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return "\n" + formatter.formatException(record.exc_info) if record.exc_info else ""
