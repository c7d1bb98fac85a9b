"""Who acts: a person, the command line of this host, the system itself, or the public."""

from __future__ import annotations

from dataclasses import dataclass

from statuspage.domain.errors import NotAllowed
from statuspage.domain.roles import ROLES, Permission
from statuspage.models import User


@dataclass(frozen=True)
class Actor:
    """`kind` is user, cli, system or public.

    `id` is the user's row, None for the others; `name` is an id fit for a log.
    """

    kind: str
    id: int | None
    name: str
    permissions: frozenset[Permission]

    def require(self, permission: Permission) -> None:
        """Raises NotAllowed unless the actor holds `permission`."""
        if permission not in self.permissions:
            raise NotAllowed(
                "actor.not_allowed", f"This needs the permission {permission.value}, which {self.name} does not have."
            )


SYSTEM = Actor("system", None, "system", frozenset(Permission))
"""The scheduler and the sender: what they do follows from what people decided."""

PUBLIC = Actor("public", None, "public", frozenset())

_BY_A_PERSON = {Permission.CAMPAIGN_APPROVE, Permission.GRACE_APPROVE, Permission.WORDS_APPROVE}
CLI = Actor("cli", None, "cli", frozenset(Permission) - _BY_A_PERSON)
"""Whoever has a shell on the host. Approval needs another person's log-in, so the command line cannot approve."""


def of_user(user: User) -> Actor:
    """The actor that a logged-in person is."""
    return Actor("user", user.id, user.public_id, ROLES[user.role])
