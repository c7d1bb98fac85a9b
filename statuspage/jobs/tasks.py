"""What the scheduler does, each with its period. Every task may run twice, or never for a while, without harm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from statuspage.composition import Composition
from statuspage.db import transaction
from statuspage.jobs.brake import Brake
from statuspage.jobs.expander import Expander
from statuspage.jobs.options import EngineOptions
from statuspage.jobs.reaper import reap
from statuspage.jobs.turnstile import Turnstile
from statuspage.publish.publisher import publish
from statuspage.services import campaign_course, grace, people_import_leftovers, playbook, receipts, signup
from statuspage.services.operator_facts import OperatorFacts
from statuspage.services.people_import_purge import tend_imports

HELP_AFTER = timedelta(seconds=5)
"""The senders expand a campaign themselves; the scheduler does it when none of them runs."""

MOST_STEPS = 200
"""Of one task at one tick: the others want their turn."""


@dataclass(frozen=True)
class Task:
    """`work` returns nothing; what it did is in the database."""

    name: str
    seconds: float
    work: Callable[[], object]


class Chores:
    """The tasks of one scheduler process."""

    def __init__(self, parts: Composition, owner: str, stopped: Callable[[], bool]) -> None:
        self._parts = parts
        self._options = EngineOptions.of(parts.settings)
        self._brake = Brake()
        self._stopped = stopped
        turnstile = Turnstile(parts.sessions)
        self._expander = Expander(parts.sessions, parts.clock, parts.settings, owner, turnstile, after=HELP_AFTER)

    def table(self) -> tuple[Task, ...]:
        parts = self._parts
        return (
            Task("publish", 1.0, lambda: publish(parts.sessions, parts.settings, parts.clock)),
            Task("receipts", 0.5, self.apply_receipts),
            Task("leases", 5.0, self.reap),
            Task("campaigns", 0.5, self.tend_campaigns),
            Task("expansion", 2.0, self.expand),
            Task("grace", 10.0, self.tick_grace),
            Task("playbook", 20.0, self.keep_proofs),
            Task("imports", 60.0, lambda: tend_imports(parts.sessions, parts.clock, self._stopped)),
            Task("files", 60.0, lambda: people_import_leftovers.sweep(parts.sessions, parts.settings, parts.clock)),
            Task("sign_ups", 600.0, self.forget_sign_ups),
        )

    def apply_receipts(self) -> None:
        """Raise deliveries to what providers say; pause a campaign of which most fails."""

        def step(session: Session) -> bool:
            now = self._parts.clock.now()
            applied, outcomes = receipts.apply_receipts(session, now=now)
            for outcome in outcomes:
                if outcome.failure is None:
                    self._brake.passed(outcome.campaign_id, outcome.channel, 1)
                    continue
                reason = self._brake.failed(outcome.campaign_id, outcome.channel, outcome.failure)
                if reason is not None:
                    campaign_course.pause_by_engine(session, outcome.campaign_id, reason, now=now)
            return applied == receipts.BATCH

        self._repeat(step)

    def expand(self) -> None:
        """Walk the audiences that no sender walks."""
        while not self._stopped() and self._expander.run(self._stopped):
            pass

    def keep_proofs(self) -> None:
        """Note when each row of a playbook was first seen proved."""
        with transaction(self._parts.sessions) as session:
            playbook.keep_proofs(session, OperatorFacts.of(self._parts.settings), now=self._parts.clock.now())

    def reap(self) -> None:
        """Deliveries of dead senders: back to pending, or unknown."""
        self._repeat(lambda session: any(reap(session, self._options, now=self._parts.clock.now())))

    def tend_campaigns(self) -> None:
        """Start what is due, sweep what was cancelled, finish what is done."""
        now = self._parts.clock.now()
        with transaction(self._parts.sessions) as session:
            campaign_course.start_due(session, now=now)
            campaign_course.finish_done(session, now=now)
        self._repeat(lambda session: campaign_course.sweep_cancelled(session, now=now))

    def tick_grace(self) -> None:
        with transaction(self._parts.sessions) as session:
            grace.tick(session, now=self._parts.clock.now())

    def forget_sign_ups(self) -> None:
        self._repeat(lambda session: bool(signup.forget_unconfirmed(session, now=self._parts.clock.now())))

    def _repeat(self, step: Callable[[Session], bool]) -> None:
        """`step` in one transaction after the other while it finds more; a process that shall stop waits for one."""
        for _ in range(MOST_STEPS):
            with transaction(self._parts.sessions) as session:
                more = step(session)
            if not more or self._stopped():
                return

    def close(self) -> None:
        self._expander.close()
