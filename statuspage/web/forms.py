"""Read a form: typed values, all mistakes at once, and a one-time key so that a doubled click has one effect."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar
from zoneinfo import ZoneInfo

from flask import request
from markupsafe import Markup
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from statuspage.domain.errors import NotAllowed, RuleError, separately
from statuspage.i18n import gettext
from statuspage.services import idempotency
from statuspage.web.wiring import now, wiring

KEY = "once"
BOXES = "boxes"
_KEY_FORM = re.compile(r"[A-Za-z0-9_-]{16,64}")
_UNREPEATED = frozenset({KEY, "csrf_token"})
LONGEST_TEXT = 10_000
LONGEST_LINE = 200

E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True)
class Mistake:
    """What is wrong with one field: the key of its words in the catalogue "form", and the values in them."""

    key: str
    values: Mapping[str, object] = field(default_factory=dict)

    def said(self, locale: str) -> str:
        return gettext(locale, f"form.mistake.{self.key}", **self.values)


class InputError(RuleError):
    """A form with mistakes: `fields` has those of reading it, `refusals` what rules say about the rest of it."""

    def __init__(self, fields: Mapping[str, Mistake], refusals: Sequence[RuleError] = ()) -> None:
        said = [f"{name}: {mistake.said('en')}" for name, mistake in fields.items()]
        first = next(iter(fields), refusals[0].field if refusals else None)
        super().__init__("form.invalid", "\n".join([*said, *(one.message for one in refusals)]), first)
        self.fields = dict(fields)
        self.refusals = tuple(refusals)

    def __reduce__(self) -> tuple[type[InputError], tuple[object, ...]]:
        return type(self), (self.fields, self.refusals)


class Fields:
    """The fields of one submitted form. Reading collects mistakes; `check` raises them together."""

    def __init__(self, form: MultiDict[str, str], zone: ZoneInfo, locales: Collection[str]) -> None:
        self.form = form
        self.zone = zone
        self.locales = locales
        self.mistakes: dict[str, Mistake] = {}

    def text(self, name: str, *, required: bool = False, limit: int = LONGEST_LINE) -> str:
        """Stripped, line ends as \\n; "" when absent."""
        value = self.form.get(name, "").replace("\r\n", "\n").strip()
        if "\0" in value:
            self.mistakes[name] = Mistake("unreadable")
        elif len(value) > limit:
            self.mistakes[name] = Mistake("too_long", {"n": len(value), "limit": limit})
        elif required and not value:
            self.mistakes[name] = Mistake("empty")
        return value

    def texts(self, prefix: str, *, limit: int = LONGEST_TEXT, required: str | None = None) -> dict[str, str]:
        """`prefix.<locale>` of every locale that has one; `required` names a locale that must."""
        read = {one: self.text(f"{prefix}.{one}", limit=limit, required=one == required) for one in self.locales}
        return {locale: body for locale, body in read.items() if body}

    def choice(self, name: str, names: type[E]) -> E | None:
        """A value of the enum; None when empty."""
        value = self.form.get(name, "")
        if not value:
            return None
        try:
            return names(value)
        except ValueError:
            self.mistakes[name] = Mistake("not_offered")
            return None

    def needed(self, name: str, names: type[E]) -> E:
        """A value of the enum; the first one stands in until `check` raises."""
        value = self.choice(name, names)
        if value is None:
            self.mistakes.setdefault(name, Mistake("not_chosen"))
            return next(iter(names))
        return value

    def several(self, name: str, allowed: Iterable[str]) -> list[str]:
        """The ticked values, in the order of `allowed`."""
        ticked = set(self.form.getlist(name))
        known = list(allowed)
        if ticked - set(known):
            self.mistakes[name] = Mistake("not_offered")
        return [value for value in known if value in ticked]

    def flag(self, name: str) -> bool:
        return self.form.get(name) == "1"

    def moment(self, name: str, *, required: bool = False) -> datetime | None:
        """A local time of the operator's zone as aware UTC; None when empty. Of a repeated hour the first is meant."""
        value = self.text(name, required=required)
        if not value:
            return None
        try:
            return datetime.fromisoformat(value).replace(tzinfo=self.zone).astimezone(UTC)
        except (ValueError, OverflowError):
            self.mistakes[name] = Mistake("no_moment")
            return None

    def count(self, name: str, *, required: bool = False, most: int = 2**31 - 1) -> int | None:
        """A whole number from 0 to `most`; None when empty."""
        value = self.text(name, required=required, limit=20)
        if not value:
            return None
        if not re.fullmatch(r"[0-9]{1,10}", value) or int(value) > most:
            self.mistakes[name] = Mistake("no_count", {"most": most})
            return None
        return int(value)

    def check(self, rule: Callable[[], object] | None = None) -> None:
        """Raises InputError when anything read so far was wrong, together with what `rule` says of the other fields."""
        refusals: list[RuleError] = []
        if rule is not None:
            try:
                rule()
            except NotAllowed:
                raise
            except RuleError as error:
                refusals = [one for one in separately(error) if one.field not in self.mistakes]
        if self.mistakes or refusals:
            raise InputError(self.mistakes, refusals)


def fields() -> Fields:
    """The form of this request."""
    settings = wiring().settings
    return Fields(request.form, settings.zone, settings.locales)


def given(name: str, default: object = "") -> str:
    """What the refused form said, so that nobody types it twice; `default` on a fresh one."""
    if request.method == "POST" and name in request.form:
        return request.form[name]
    return "" if default is None else str(default)


def ticked(name: str, default: Collection[str] = ()) -> Collection[str]:
    """The boxes that the refused form had ticked; `default` on a fresh one, and where another form was refused: boxes
    that nobody ticked are not sent, so `BOXES` says that they were there."""
    return request.form.getlist(name) if name in request.form.getlist(BOXES) else default


def once() -> Markup:
    """The hidden one-time key of a form that makes something."""
    return Markup('<input type="hidden" name="once" value="{}">').format(secrets.token_urlsafe(18))


def repeated(session: Session, scope: str) -> str | None:
    """What the same form made when it was sent before; None for the first time."""
    return idempotency.earlier_result(session, scope, key(), _content())


def remember(session: Session, scope: str, result_id: str) -> None:
    """Keep what this form made, in the transaction that made it."""
    idempotency.remember(session, scope, key(), _content(), result_id, now())


def key() -> str:
    """The one-time key of the submitted form; RuleError when it has none."""
    value = request.form.get(KEY, "")
    if not _KEY_FORM.fullmatch(value):
        raise RuleError("form.no_key", "once: the form has no one-time key. Reload the page and send it again.", KEY)
    return value


def _content() -> str:
    pairs = sorted((name, value) for name, value in request.form.items(multi=True) if name not in _UNREPEATED)
    return hashlib.sha256(repr((request.path, pairs)).encode()).hexdigest()
