from __future__ import annotations


class RuleError(Exception):
    """A refusal by a rule of the domain, safe to show to whoever asked.

    `code` is for machines and never changes ("incident.illegal_move"); `field` names the offending input or is None;
    `message` names the field, the value unless it is personal or secret, and the remedy.
    """

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.message = message

    def __reduce__(self) -> tuple[type[RuleError], tuple[str, str, str | None]]:
        return type(self), (self.code, self.message, self.field)


class NotAllowed(RuleError):
    """The actor lacks a permission, or may not do this to his own work (403)."""


class NotFound(RuleError):
    """What was named does not exist, or not for this actor (404)."""
