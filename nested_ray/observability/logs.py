"""Logging set-up: lines for people or JSON for machines, never a secret in either."""

from __future__ import annotations

import json as jsonlib
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from nested_ray.errors import ConfigError
from nested_ray.observability.redact import redact, redact_value

NOISY_LIBRARIES = (
    "asyncio", "boto3", "botocore", "datasets", "filelock", "fsspec", "hpack", "httpcore", "httpx",
    "matplotlib", "psycopg", "psycopg.pool", "s3transfer", "transformers", "urllib3",
)  # fmt: skip
STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def setup(level: str = "INFO", json: bool = False, stream: TextIO | None = None) -> None:
    """Send log lines of `level` and above to stderr; entry points call it once.

    Calling it again replaces what the last call set up and leaves other handlers alone.
    Raises ConfigError for an unknown level.
    """
    names = logging.getLevelNamesMapping()
    number = names.get(level.upper())
    if number is None:
        known = "debug, info, warning, error, critical"
        raise ConfigError(f"log level {level!r} is unknown; choose one of {known}")
    handler = _StderrHandler(stream)
    handler.setFormatter(JsonFormatter() if json else HumanFormatter())
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, _StderrHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(number)
    quiet(number)


def quiet(level: int) -> None:
    """Let libraries speak from WARNING on, unless everything is wanted."""
    for name in NOISY_LIBRARIES:
        logging.getLogger(name).setLevel(level if level <= logging.DEBUG else logging.WARNING)


class _StderrHandler(logging.StreamHandler):
    """The handler `setup` installs; its own class so that `setup` can find it again."""

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__(stream or sys.stderr)
        self._follows_stderr = stream is None

    def emit(self, record: logging.LogRecord) -> None:
        # Live progress bars put another stderr in place while they last, so that lines go above them.
        if self._follows_stderr:
            self.stream = sys.stderr
        super().emit(record)


class HumanFormatter(logging.Formatter):
    """`12:03:55 INFO train.run: level ready  level=syntax step=40`, secrets redacted."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(shortname)s: %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.shortname = record.name.removeprefix("nested_ray.")
        line = super().formatMessage(record)
        fields = " ".join(f"{key}={value}" for key, value in extra_fields(record).items())
        return f"{line}  {fields}" if fields else line

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, error, and the `extra` fields."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        if record.exc_info:
            entry["error"] = redact(self.formatException(record.exc_info))
        # A field named like one of ours must not hide it.
        entry = {**extra_fields(record), **entry}
        return jsonlib.dumps(entry, ensure_ascii=False, default=lambda value: redact(str(value)))


def extra_fields(record: logging.LogRecord) -> dict[str, Any]:
    """What the caller passed as `extra={...}`, secrets redacted."""
    return {
        key: redact_value(key, value)
        for key, value in vars(record).items()
        if key not in STANDARD_FIELDS and key != "shortname" and not key.startswith("_ray_")
    }
