"""Logs with ids and numbers only: no number, address or message body gets through, whoever tries to log one."""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor

REDACTED = "[redacted]"
MOST_FRAMES = 20
"""The innermost ones tell where it broke; a runaway recursion has a thousand."""
_KEYS = frozenset(
    {
        *("level", "logger", "timestamp", "error", "trace", "pid", "part", "signal", "version"),
        *("method", "status", "endpoint", "scope", "health", "port", "code", "field", "format", "locale", "locales"),
        *("state", "reason", "outcome", "policy", "kind", "rank", "route", "component", "grace", "revision", "epoch"),
        *("channel", "provider", "attempt", "batch", "count", "segments", "window", "released"),
    }
)
_SUFFIXES = ("_id", "_ids", "_at", "_bytes", "_count", "_seconds", "_state")
_OF_STRUCTLOG = ("_record", "_from_structlog")
# Nine digits or more, bare or grouped, that are not part of a longer word: a telephone number or an ICCID.
_PHONE = re.compile(r"(?<![0-9A-Za-z_-])\+?\d(?:[ ().-]{0,2}\d){8,}(?![0-9A-Za-z_-])")
_EMAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+")
_URL_PASSWORD = re.compile(r"(?<=://)[^/\s@]*@")
_PLAIN = (bool, int, float, Decimal, datetime, type(None))


def configure(log_format: Literal["console", "json"], stream: TextIO | None = None) -> None:
    """Send structlog and the standard library's loggers, redacted, to `stream` (standard error when None)."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        describe_exception,
        redact,
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer() if log_format == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    output = logging.StreamHandler(stream or sys.stderr)
    output.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [output]
    root.setLevel(logging.WARNING)
    logging.getLogger("statuspage").setLevel(logging.INFO)
    logging.getLogger("notifiers").setLevel(logging.INFO)
    # It warns of every tick that came while the one before was still at work, which is what it is told to leave out.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def redact(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Blank every value whose key is not on the list, and every number or address inside the others."""
    for key, value in event.items():
        if key == "event":
            event[key] = _cleaned(str(value))
        elif key not in _OF_STRUCTLOG:
            event[key] = _checked(key, value)
    return event


def describe_exception(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Replace an exception by its type and the lines it passed: its message may quote a person's data."""
    given = event.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else (sys.exc_info()[1] if given is True else _second(given))
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        frames = traceback.extract_tb(error.__traceback__, limit=-MOST_FRAMES)
        event["trace"] = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def _second(given: object) -> object:
    return given[1] if isinstance(given, tuple) and len(given) > 1 else None


def _checked(key: str, value: Any) -> Any:
    if key not in _KEYS and not key.endswith(_SUFFIXES):
        return REDACTED
    if isinstance(value, Mapping):
        return {str(inner): _checked(str(inner), part) for inner, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_checked(key, part) for part in value]
    return value if isinstance(value, _PLAIN) else _cleaned(str(value))


def _cleaned(text: str) -> str:
    for pattern in (_URL_PASSWORD, _EMAIL, _PHONE):
        text = pattern.sub(REDACTED, text)
    return text
