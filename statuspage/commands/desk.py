"""What every command does the same way: open a transaction, publish after it, know the hour and the operator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import click
import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.composition import Composition
from statuspage.db import transaction
from statuspage.models import PageState
from statuspage.services import installation
from statuspage.services.addresses import AddressKey
from statuspage.services.operator_facts import OperatorFacts

logger = structlog.get_logger(__name__)


def reading(parts: Composition) -> AbstractContextManager[Session]:
    """A transaction that cannot write."""
    return transaction(parts.sessions, read_only=True)


@contextmanager
def writing(parts: Composition) -> Iterator[Session]:
    """A transaction for verbs; when it left the public page out of date, the page is published before the end.

    Refused with another SECRET_KEY than the installation's, whose opt-outs it could not recognise.
    """
    key = AddressKey.derive(parts.settings.secret_key.get_secret_value())
    with transaction(parts.sessions) as session:
        installation.check_key(session, key)
        yield session
        session.flush()
        behind = session.scalar(select(PageState.wanted > PageState.published))
    if behind:
        _publish(parts)


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
