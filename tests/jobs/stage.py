"""A campaign, the senders that are killed over it, and the books that must balance afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from notifiers.base import Channel, Notifier
from statuspage.clock import FrozenClock
from statuspage.composition import Composition
from statuspage.db import transaction
from statuspage.domain.campaign import CampaignState
from statuspage.jobs.tasks import Chores
from statuspage.models import Attempt, Delivery
from tests.databases import SECRET
from tests.jobs.ledger import Ledger, Line, read
from tests.jobs.stopped_sender import OPTIONS, WINDOW, Job
from tests.outbox import Person, World, send_until, settings
from tests.waiting import PATIENCE, until

ROOT = Path(__file__).resolve().parents[2]
PEOPLE = 40
OPEN = frozenset({"pending", "claimed", "sending"})
SMS, EMAIL = Channel.SMS, Channel.EMAIL


class Process:
    """A sender that was started and waits for its job. Its words go to a file, which explains a failure."""

    def __init__(self, errors: Path) -> None:
        self._errors = errors
        with errors.open("ab") as out:
            command = [sys.executable, "-m", "tests.jobs.stopped_sender"]
            self._popen = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=out, stderr=out)
        self.pid = self._popen.pid
        self.send_signal = self._popen.send_signal

    def say(self, words: str) -> None:
        assert self._popen.stdin is not None
        self._popen.stdin.write(words.encode())
        self._popen.stdin.flush()

    def until_stopped(self) -> None:
        """The kernel says when it has stopped; one that ended instead has failed."""
        end = time.monotonic() + PATIENCE
        while True:
            news = os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if news is not None:
                assert news.si_code == os.CLD_STOPPED, self.words()
                return
            assert time.monotonic() < end, self.words()
            time.sleep(0.005)

    def go_on(self) -> None:
        self.say("!")
        self.send_signal(signal.SIGCONT)

    def finish(self) -> None:
        """As the supervisor asks it to; it has to end well."""
        self.send_signal(signal.SIGTERM)
        assert self.wait() == 0, self.words()

    def wait(self) -> int:
        return self._popen.wait(PATIENCE)

    def words(self) -> str:
        return self._errors.read_text()[-3000:]

    def end(self) -> None:
        with self._popen:
            self._popen.kill()


class Spare:
    """Keeps one process started ahead: importing the engine takes a second, while a test has other things to do."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started = 0
        self._next = self._start()

    def take(self) -> Process:
        taken, self._next = self._next, self._start()
        return taken

    def close(self) -> None:
        self._next.end()

    def _start(self) -> Process:
        self._started += 1
        return Process(self._folder / f"sender-{self._started}.log")


@dataclass
class Stage:
    """A campaign to `PEOPLE` by both channels, and the scheduler's tasks."""

    world: World
    url: str
    folder: Path
    clock: FrozenClock
    spare: Spare
    campaign: str = ""
    chores: Chores = field(init=False)

    def __post_init__(self) -> None:
        parts = Composition(settings(self.folder), self.world.sessions, {}, self.clock)
        self.chores = Chores(parts, "tasks", lambda: False)
        self.tell_clock()

    def begin(self, people: int = PEOPLE, *, expand: bool = True) -> None:
        self.world.people(*(Person(n, language=("ru", "zh", "en")[n % 3]) for n in range(people)))
        self.campaign = self.world.start(self.world.incident(), settings(self.folder))
        if expand:
            self.world.expand(self.campaign, settings(self.folder))

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"

    def tell_clock(self) -> None:
        """To the other processes, in one step."""
        fresh = self.folder / "clock.new"
        fresh.write_text(self.clock.now().isoformat())
        fresh.rename(self.folder / "clock")

    def pass_time(self, by: timedelta) -> None:
        self.clock.advance(by)
        self.tell_clock()

    @contextmanager
    def sender(self, step: str, *, lease_seconds: float = 120) -> Iterator[Process]:
        """A process that comes to `step` and stops there; it is killed when nobody needs it any more."""
        paths = (str(self.ledger), str(self.folder / "clock"))
        job = Job(self.url, str(self.folder), SECRET, *paths, step, lease_seconds)
        process = self.spare.take()
        try:
            process.say(json.dumps(job))
            yield process
        finally:
            process.end()

    def kill_at(self, step: str) -> None:
        with self.sender(step) as process:
            process.until_stopped()
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL

    def take_over(self, *, tells: bool = False) -> None:
        """Leases run out, the tasks clear up, unknown ones come due, another sender goes on to the end."""
        self.pass_time(timedelta(minutes=10))
        self.chores.reap()
        self.pass_time(timedelta(minutes=2))
        notifiers = {channel: Ledger(channel, self.ledger, tells=tells) for channel in Channel}
        self.send(notifiers, self.done)

    def send(self, notifiers: Mapping[Channel, Notifier], done: Callable[[], bool]) -> None:
        """A sender in this process, until `done`."""
        given = settings(self.folder)
        send_until(self.world.sessions, given, notifiers, self.clock, done, options=OPTIONS)
        self.chores.apply_receipts()

    def until_done(self) -> None:
        """Other processes are at work."""
        until(self.done, "the senders come to the end")

    def done(self) -> bool:
        """Everybody is in the outbox and nobody in hand, no mail's fate is open, no receipt waits."""
        self.chores.apply_receipts()
        self.chores.reap()
        if self.world.campaign(self.campaign).expanded_at is None:
            return False
        rows = self.rows()
        return not any(row.state in OPEN or (row.state == "unknown" and row.channel == EMAIL) for row in rows)

    def rows(self) -> list[Delivery]:
        return self.world.deliveries(self.campaign)

    def states(self, channel: Channel) -> dict[str, int]:
        return dict(Counter(row.state for row in self.rows() if row.channel == channel))

    def told(self, channel: Channel) -> list[Line]:
        return [line for line in read(self.ledger) if line.channel == channel]

    def attempts(self) -> dict[tuple[int, int], str]:
        """(delivery, attempt) → what became of an attempt that was not the last word."""
        with transaction(self.world.sessions, read_only=True) as session:
            rows = session.execute(select(Attempt.delivery_id, Attempt.attempt, Attempt.outcome))
            return {(delivery, attempt): outcome for delivery, attempt, outcome in rows}

    def close_books(self, people: int = PEOPLE) -> None:
        """What must hold whatever has happened."""
        rows, lines, attempts = self.rows(), read(self.ledger), self.attempts()
        assert Counter(row.channel for row in rows) == {SMS: people, EMAIL: people}
        assert not [row.id for row in rows if row.state in OPEN]
        assert all(row.owner is None and row.lease_until is None for row in rows)
        assert self.world.counted(self.campaign) == self.world.states(self.campaign)
        told = Counter(line.delivery_id for line in lines)
        assert Counter((line.delivery_id, line.attempt) for line in lines).most_common(1)[0][1] == 1
        resent = Counter(delivery for (delivery, _), outcome in attempts.items() if outcome == "resent")
        for row in rows:
            assert row.state in ("accepted", "unknown"), row.state
            assert row.state == "unknown" or told[row.id] >= 1, "accepted by nobody"
            assert row.attempt == 1 + resent[row.id]
            assert told[row.id] <= 1 + resent[row.id]
            if row.channel == SMS:
                assert told[row.id] <= 1
                assert resent[row.id] == 0
        names: dict[int, set[str]] = {}
        for line in lines:
            names.setdefault(line.delivery_id, set()).add(line.message_id)
        assert all(len(one) == 1 for one in names.values()), "a mail that is sent again keeps its Message-ID"
        unknown = [row for row in rows if row.state == "unknown"]
        assert len(unknown) <= WINDOW
        assert all(row.channel == SMS and attempts[row.id, row.attempt] == "unknown" for row in unknown)
        self.pass_time(timedelta(days=2))
        self.chores.tend_campaigns()
        assert self.world.campaign(self.campaign).state is CampaignState.FINISHED
