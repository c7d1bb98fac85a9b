"""What every command does the same way: open a transaction, publish after it, know the hour and the operator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import click
import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.composition import Composition
from statuspage.db import transaction
from statuspage.models import PageState
from statuspage.services import installation, settings_in_force
from statuspage.services.addresses import AddressKey
from statuspage.services.operator_facts import OperatorFacts
from statuspage.services.settings_in_force import Difference

logger = structlog.get_logger(__name__)


def reading(parts: Composition) -> AbstractContextManager[Session]:
    """A transaction that cannot write."""
    return transaction(parts.sessions, read_only=True)


@contextmanager
def writing(parts: Composition) -> Iterator[Session]:
    """A transaction for verbs; when it left the public page out of date, the page is published before the end.

    Refused with another SECRET_KEY than the installation's, whose opt-outs it could not recognise. With other settings
    than the serving processes' the page is left to the scheduler, which has the right ones.
    """
    key = AddressKey.derive(parts.settings.secret_key.get_secret_value())
    with transaction(parts.sessions) as session:
        installation.check_key(session, key)
        yield session
        session.flush()
        behind = session.scalar(select(PageState.wanted > PageState.published))
        others = settings_in_force.differences(session, parts.settings)
    if behind and others:
        _warn("Done, but not published from here: the scheduler does it.", others)
    elif behind:
        _publish(parts)


def warn_of_other_settings(parts: Composition, told: str) -> None:
    """Say on standard error `told` and which settings of the page differ here; nothing when none does."""
    with reading(parts) as session:
        others = settings_in_force.differences(session, parts.settings)
    if others:
        _warn(told, others)


def _warn(told: str, others: Sequence[Difference]) -> None:
    click.echo(f"{told} These settings are not the ones that the public page is made with:", err=True)
    for one in others:
        click.echo(f"  {one.name}: here {one.here or '(unset)'}, there {one.in_force or '(unset)'}", err=True)
    click.echo("Give this command the settings of `statuspage serve`, or restart that with these.", err=True)


def _publish(parts: Composition) -> None:
    # Imported here, so that a command that changes no page carries no templates.
    from statuspage.publish.publisher import publish

    try:
        publish(parts.sessions, parts.settings, parts.clock)
    except Exception:
        # The change is committed and the command must tell its result; the scheduler's tick publishes.
        logger.exception("page.publish_failed")
        click.echo("Done, but the page could not be published yet; the scheduler tries again.", err=True)


def operator(parts: Composition) -> OperatorFacts:
    return OperatorFacts.of(parts.settings)
