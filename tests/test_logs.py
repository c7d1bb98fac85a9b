"""What reaches the log, and what never does."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from statuspage import logs

PHONE = "+79161234567"
MAIL = "anna.ivanova@example.com"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("json", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def said(log: io.StringIO) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(log.getvalue())
    return found


def test_ids_and_numbers_are_kept(log: io.StringIO) -> None:
    """What an operator searches by is there: ids, counts, states, times."""
    structlog.get_logger("statuspage.jobs").info(
        "batch settled", campaign_id="k3x9q0c1m2zz", batch=256, state="accepted", took_seconds=0.25
    )
    line = said(log)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "batch settled",
        "level": "info",
        "logger": "statuspage.jobs",
        "campaign_id": "k3x9q0c1m2zz",
        "batch": 256,
        "state": "accepted",
        "took_seconds": 0.25,
    }


@pytest.mark.parametrize("key", ["phone", "to", "email", "body", "text", "name", "address", "url", "msisdn", "user"])
def test_a_key_that_is_not_listed_is_blanked(log: io.StringIO, key: str) -> None:
    """Neither a number, an address nor a message body is logged, whatever its key is called."""
    structlog.get_logger("statuspage").warning("refused", **{key: PHONE})
    assert said(log)[key] == "[redacted]"
    assert PHONE not in log.getvalue()


@pytest.mark.parametrize(
    "value", [PHONE, "8 (916) 123-45-67", MAIL, "8970101234567890123", {"line_id": [MAIL]}, (PHONE,)]
)
def test_a_listed_key_does_not_carry_a_person(log: io.StringIO, value: object) -> None:
    """A number or address under a listed key, also deep inside, is blanked too."""
    structlog.get_logger("statuspage").warning(f"refused {value}", delivery_id=value, reason=value)
    assert "[redacted]" in log.getvalue()
    assert not any(part in log.getvalue() for part in (PHONE, "123-45-67", MAIL, "8970101234567890123"))


def test_an_exception_is_a_type_and_places(log: io.StringIO) -> None:
    """An exception's message may quote a row, so only its type and the lines it passed are told."""
    try:
        raise ValueError(f"bad row for {PHONE} of Anna Ivanova")
    except ValueError:
        structlog.get_logger("statuspage").exception("import failed", import_id=7)
    line = said(log)
    assert line["error"] == "ValueError"
    assert line["trace"][-1].startswith("test_logs.py:")
    assert "Anna" not in log.getvalue()


def test_a_runaway_recursion_is_told_in_twenty_frames(log: io.StringIO) -> None:
    """Of a deep traceback the innermost frames are kept, so that a log line stays short."""

    def sink(levels: int) -> None:
        if levels == 0:
            raise RecursionError
        sink(levels - 1)

    try:
        sink(500)
    except RecursionError:
        structlog.get_logger("statuspage").exception("callback failed")
    trace = said(log)["trace"]
    assert len(trace) == 20
    assert all(frame.endswith(" sink") for frame in trace)
    assert len(log.getvalue()) < 2_000


def test_libraries_are_redacted_too(log: io.StringIO) -> None:
    """A library's own log goes the same way."""
    logging.getLogger("aiosmtpd").warning("RCPT TO %s at %s, smtp://user:pass-word@mail", MAIL, PHONE)
    logging.getLogger("sqlalchemy").info("SELECT 1")
    line = said(log)
    assert line["logger"] == "aiosmtpd"
    assert not any(part in log.getvalue() for part in (MAIL, PHONE, "pass-word"))


def test_a_library_s_exception_is_a_type_and_places(log: io.StringIO) -> None:
    """A traceback that a library logs is told without its message."""
    try:
        raise ValueError(f"bad row for {PHONE} of Anna Ivanova")
    except ValueError:
        logging.getLogger("apscheduler").exception("Job raised")
    line = said(log)
    assert line["error"] == "ValueError"
    assert "Anna" not in log.getvalue()


def test_the_console_format_is_redacted_too() -> None:
    """What a person reads in the terminal is what the collector gets."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("console", stream)
    structlog.get_logger("statuspage").warning("refused", phone=PHONE, delivery_id=12)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    assert "delivery_id=12" in stream.getvalue()
    assert PHONE not in stream.getvalue()


@given(
    st.from_regex(r"\+?[1-9][0-9]{8,14}", fullmatch=True), st.sampled_from(["{}", "to {}.", "({})", "tel:{}", "'{}'"])
)
def test_no_number_survives(number: str, frame: str) -> None:
    """A number of nine digits or more is found in any sentence."""
    assert number not in logs.redact(None, "info", {"event": frame.format(number), "reason": number}).__repr__()


@given(
    st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=12, max_size=12).filter(lambda text: not text.isdigit())
)
def test_public_ids_survive(public_id: str) -> None:
    """A public id of twelve letters and digits is not taken for a number."""
    assert logs.redact(None, "info", {"event": public_id})["event"] == public_id
