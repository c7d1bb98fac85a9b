"""How commands answer: a table for eyes, JSON for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.table import Table

_PIPE_WIDTH = 240


def print_json(document: Any) -> None:
    """One document; times as ISO 8601, durations in seconds, decimals as strings."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2, default=_plain))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """As wide as the terminal; in a pipe wide enough that ordinary rows stay on one line."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    Console(file=sys.stdout, width=width, markup=False, highlight=False).print(table)


def print_facts(facts: Mapping[str, object]) -> None:
    """One fact a line."""
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        click.echo(f"{name:<{width}}  {_cell(value)}")


def local(at: datetime | None, zone: ZoneInfo) -> str:
    """A moment in the operator's zone, or a dash."""
    return "–" if at is None else f"{at.astimezone(zone):%Y-%m-%d %H:%M %Z}"


def _cell(value: object) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value) or "–"
    return str(value)


def _plain(value: object) -> str | float:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
