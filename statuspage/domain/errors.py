from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence


class RuleError(Exception):
    """A refusal by a rule of the domain, safe to show to whoever asked.

    `code` is for machines and never changes ("incident.illegal_move"); `field` names the offending input or is None;
    `message` names the field, the value unless it is personal or secret, and the remedy. `values` are the parts of it
    by name, for whoever says it in another language, which has words of its own for a member of an enum; one named
    `variant` chooses among several sentences of one code.
    """

    def __init__(
        self, code: str, message: str, field: str | None = None, values: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.message = message
        self.values = dict(values or {})

    def __reduce__(self) -> tuple[Callable[..., RuleError], tuple[object, ...]]:
        return type(self), (self.code, self.message, self.field, self.values)


class NotAllowed(RuleError):
    """The actor lacks a permission, or may not do this to his own work (403)."""


class NotFound(RuleError):
    """What was named does not exist, or not for this actor (404)."""


class Refusals(RuleError):
    """Several refusals of one request: code and field are those of the first, the message says each on its own line."""

    def __init__(self, each: Sequence[RuleError]) -> None:
        super().__init__(each[0].code, "\n".join(one.message for one in each), each[0].field)
        self.each = tuple(each)

    def __reduce__(self) -> tuple[type[Refusals], tuple[object, ...]]:
        return type(self), (self.each,)


def separately(error: RuleError) -> tuple[RuleError, ...]:
    """The single refusals of `error`."""
    return error.each if isinstance(error, Refusals) else (error,)


def raise_together(found: Sequence[RuleError]) -> None:
    """Raise what was found, all at once, so that nobody mends a form mistake by mistake; nothing when it is empty."""
    if len(found) == 1:
        raise found[0]
    if found:
        raise Refusals(found)


def check_all(checks: Iterable[Callable[[], object]]) -> None:
    """Make every check, also after one that refuses. What somebody may not do at all is refused alone."""
    found: list[RuleError] = []
    for check in checks:
        try:
            check()
        except NotAllowed:
            raise
        except RuleError as error:
            found += separately(error)
    raise_together(found)
