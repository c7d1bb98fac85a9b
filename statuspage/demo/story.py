"""The story: billing goes down, people are told, the promise is kept, billing comes back, people are told again."""

from __future__ import annotations

import os
import re
import secrets
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from statuspage.clock import SystemClock
from statuspage.db import make_engine, make_sessions, transaction
from statuspage.demo.browser import Browser, StoryError
from statuspage.demo.checks import first_tries_left
from statuspage.demo.peers import TwilioStandIn, status, text
from statuspage.demo.people import write_csv
from statuspage.demo.processes import Processes, add_settings, free_port
from statuspage.domain.campaign import CampaignKind
from statuspage.models import Campaign, Delivery

SMS_FAULTS = (
    "busy=0.02,refuse=0.005,error=0.01,reset=0.01,error_after=0.002,reset_after=0.002,undelivered=0.01,lost=0.01"
)
MAIL_FAULTS = "busy=0.01,refuse=0.005,full=0.005,defer=0.01,drop_before=0.005,drop_after=0.005"
TEMPLATE = "billing_outage"
OPERATOR_NUMBER = "+15005550006"
LOCALES = ("ru", "zh", "en")
ZONE = "Europe/Moscow"
ITSELF = "^$"
"""The action of a form that is sent to its own page."""

ENOUGH_TOLD = 0.7
"""Billing is back when this share of the texts is out, so that cancelling the rest is part of the story."""

Say = Callable[[str], None]


@dataclass
class Story:
    """One run in `directory`. `say` hears what happens; `measured` keeps figures for the closing table."""

    directory: Path
    subscribers: int
    say: Say
    measured: dict[str, str] = field(default_factory=dict)
    incident: str = ""
    stopped: str = "+79990000004"
    """Who answers STOP; a postpaid line that takes messages."""

    def __post_init__(self) -> None:
        self.processes = Processes(self.directory)
        self.ledgers = {"sms": self.directory / "twilio.jsonl", "email": self.directory / "smtp.jsonl"}
        self.base_url = f"http://127.0.0.1:{free_port()}"
        self.engineer = Browser(self.base_url)
        self.approver = Browser(self.base_url)
        self.twilio = TwilioStandIn("")
        self.sessions = make_sessions(make_engine(f"sqlite:///{self.directory / 'data' / 'statuspage.db'}"))
        """The story's own look into the database; whatever changes something goes through the product."""

    def run(self) -> None:
        """All of it, in order; StoryError says where it stopped."""
        self.prepare()
        self.declare()
        self.tell()
        self.disturb()
        self.restore()
        self.tell_the_end()
        self.resolve()

    def prepare(self) -> None:
        """Stand-ins with faults, a fresh installation, the people of the file, and the product running."""
        port = self.base_url.rpartition(":")[2]
        twilio = self.processes.standin(
            "twilio", "--ledger", str(self.ledgers["sms"]), "--faults", SMS_FAULTS, "--seed", "7"
        )
        self.twilio = TwilioStandIn(twilio)
        smtp = self.processes.standin(
            "smtp", "--ledger", str(self.ledgers["email"]), "--faults", MAIL_FAULTS, "--seed", "7"
        )
        self.processes.environment = add_settings(
            {name: value for name, value in os.environ.items() if not name.startswith("STATUSPAGE_")},
            DATA_DIR=str(self.directory / "data"),
            BASE_URL=self.base_url,
            PORT=port,
            LOG_FORMAT="json",
            SMTP_URL=smtp,
            MAIL_FROM="status@news.demo.example",
            TWILIO_ACCOUNT_SID="AC" + "0" * 32,
            TWILIO_AUTH_TOKEN="stand-in-token",  # noqa: S106 -- it opens nothing but the stand-in
            TWILIO_FROM=OPERATOR_NUMBER,
            TWILIO_BASE_URL=twilio,
            SMS_PRICE="0.05",
            SMS_RATE="10000",
            APPROVAL_ALWAYS="true",
            TIME_ZONE=ZONE,
            # The story is told at any hour of the day, so nobody sleeps in it.
            QUIET_START="00:00",
            QUIET_END="00:00",
        )
        passwords = dict(re.findall(r"(\S+@demo\.example)\s+\S+\s+(\S+)", self.processes.run("sample")))
        self._import()
        self.processes.part("serve", "serve")
        self._until("the product answers", lambda: status(self.base_url + "/readyz") == 200, 60)
        for browser, email in ((self.engineer, "engineer@demo.example"), (self.approver, "approver@demo.example")):
            self._log_in(browser, email, passwords[email])

    def _import(self) -> None:
        people = self.directory / "people.csv"
        write_csv(people, self.subscribers)
        began = time.monotonic()
        self.processes.run("subscribers", "import", str(people), "--json")
        took = time.monotonic() - began
        self.measured["people imported"] = f"{self.subscribers:,} lines in {took:.1f} s"
        self.say(f"{self.subscribers:,} lines imported")

    def _log_in(self, browser: Browser, email: str, first: str) -> None:
        own = secrets.token_urlsafe(18)
        browser.open("/console/login")
        browser.submit(ITSELF, email=email, password=first)
        browser.open("/console/password")
        browser.submit(ITSELF, current=first, new=own, again=own)
        self.say(f"{email} logged in and chose a password")

    def declare(self) -> None:
        """Declared from a template in the console; the page says so in every language."""
        self.engineer.open(f"/console/incidents/new/{TEMPLATE}")
        began = time.monotonic()
        self.engineer.submit(ITSELF, button=("publication", "published"), not_affected=["calls", "mobile_data", "sms"])
        found = re.search(r"/console/incidents/([0-9a-z]{12})", self.engineer.url)
        if found is None:
            raise StoryError(f"declaring led to {self.engineer.url}, not to an incident's room")
        self.incident = found.group(1)
        for path in (*(f"/{locale}/" for locale in LOCALES), "/history.rss", "/updates.atom", "/api/v2/summary.json"):
            self._until(f"{path} tells the incident", self._tells(path, self.incident), 10)
        self.measured["declared → on every page and feed"] = f"{time.monotonic() - began:.2f} s"
        self.say(f"incident {self.incident} is declared and published in {', '.join(LOCALES)}")

    def tell(self) -> None:
        """Two campaigns: subscribers, and the contacts of merchants; each released by the second person."""
        for template in ("outage", "merchants"):
            self._campaign(self._draft(template), template)

    def _draft(self, template: str) -> str:
        self.engineer.open(f"/console/campaigns/new?incident={self.incident}")
        self.engineer.submit("/campaigns/new$", template=template)
        return self.engineer.url.rpartition("/")[2]

    def _campaign(self, campaign: str, name: str) -> None:
        address = f"/console/campaigns/{campaign}"
        self.engineer.open(f"{address}/preview")
        self.engineer.submit("/request-approval$")
        self.approver.open(address)
        self.approver.submit("/approve$")
        self.engineer.open(address)
        began = time.monotonic()
        self.engineer.submit("/start$")
        self.measured[f"campaign {name}: start answered in"] = f"{time.monotonic() - began:.2f} s"
        self.say(f"campaign {name} is approved by a second person and running")

    def disturb(self) -> None:
        """The sender is killed twice while it sends; a subscriber answers STOP."""
        for share in (0.1, 0.35):
            self._until("messages go out", self._out(share), 120, self.twilio.taken)
            self._kill_sender()
        self.twilio.answer(self.stopped, OPERATOR_NUMBER, "СТОП", f"{self.base_url}/callbacks/twilio/inbound")
        self.say("a subscriber answered СТОП")
        self._until("most are told", self._out(ENOUGH_TOLD), 120, self.twilio.taken)
        self._until("every merchant is told", self._tried("merchants"), 120, self.twilio.taken)

    def _out(self, share: float) -> Callable[[], bool]:
        """Whether `share` of the texts is out; nearly every line has a number of its own, terminals share theirs."""
        return lambda: self.twilio.taken() >= share * self.subscribers * 0.8

    def _tells(self, path: str, words: str) -> Callable[[], bool]:
        return lambda: words in text(self.base_url + path)

    def _kill_sender(self) -> None:
        self._until("a sender runs", lambda: bool(self._senders()), 60)
        os.kill(self._senders()[0], signal.SIGKILL)
        self.say("the sender was killed with -9; the supervisor starts it again")

    def _senders(self) -> list[int]:
        return [pid for pid in _processes() if _is_sender(pid, self.processes.running["serve"].pid)]

    def restore(self) -> None:
        """Service is back, crediting goes on: what is left of the notices is cancelled, end notices are drafted."""
        self.engineer.open(f"/console/incidents/{self.incident}/tell/restore")
        credited_by = SystemClock().now().astimezone(ZoneInfo(ZONE)) + timedelta(hours=3)
        began = time.monotonic()
        self.engineer.submit(ITSELF, credited_by_at=f"{credited_by:%Y-%m-%dT%H:%M}")
        self.measured["restored: the rest cancelled in"] = f"{time.monotonic() - began:.2f} s"
        self.say("restored, catching up: the rest is cancelled, end notices are drafted")

    def tell_the_end(self) -> None:
        """The drafted end notices are released and run; every callback is waited for."""
        notices = self._end_notices()
        for purpose, campaign in notices.items():
            self._campaign(campaign, purpose)
        self._until("everybody who was told is told the end", self._tried(*notices), 120, self.twilio.taken)
        self._until("all callbacks are made", lambda: self.twilio.waiting() == 0, 60, self.twilio.waiting)
        for campaign in notices.values():
            self._end(campaign)
        self._until("the leases of the killed senders have run out", lambda: not self._open(), 200)

    def _end(self, campaign: str) -> None:
        """Some wait hours for a full mailbox; the story does not, and says so of each of them."""
        self.engineer.open(f"/console/campaigns/{campaign}")
        if "/cancel" in self.engineer.page:
            self.engineer.submit("/cancel$")

    def _end_notices(self) -> dict[str, str]:
        """purpose → public id of what the restoration drafted."""
        query = select(Campaign.purpose, Campaign.public_id).where(Campaign.kind == CampaignKind.END_NOTICE)
        with transaction(self.sessions, read_only=True) as session:
            return dict(session.execute(query).all())

    def _tried(self, *purposes: str) -> Callable[[], bool]:
        """Whether everybody of these campaigns has been tried once; retries may still wait."""

        def holds() -> bool:
            with transaction(self.sessions, read_only=True) as session:
                return first_tries_left(session, purposes) == 0

        return holds

    def _open(self) -> bool:
        states = ("pending", "claimed", "sending")
        with transaction(self.sessions, read_only=True) as session:
            return session.scalar(select(func.count()).where(Delivery.state.in_(states))) != 0

    def resolve(self) -> None:
        """Crediting is verified with figures; the incident is resolved and the grace tail begins."""
        self.engineer.open(f"/console/incidents/{self.incident}")
        self.engineer.submit("/crediting$", queued="1240", credited="1240", duplicated="3")
        self.engineer.open(f"/console/incidents/{self.incident}/tell/resolve")
        self.engineer.submit(ITSELF)
        self._until("the page says it is over", self._tells("/api/v2/incidents.json", '"resolved"'), 10)
        self.say("crediting is verified, the incident is resolved, the grace tail has begun")

    def _until(
        self, what: str, holds: Callable[[], bool], seconds: float, moving: Callable[[], int] = lambda: 0
    ) -> None:
        """Wait, and give up after `seconds` in which `moving` stood still: a slow machine is none that hangs."""
        seen, deadline = moving(), time.monotonic() + seconds
        while not holds():
            if (now := moving()) != seen:
                seen, deadline = now, time.monotonic() + seconds
            if time.monotonic() > deadline:
                raise StoryError(f"{what}: nothing moved for {seconds:.0f} s")
            time.sleep(0.1)


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _is_sender(pid: int, supervisor: int) -> bool:
    """Whether `pid` is the sender that this story's supervisor started."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
    except OSError:
        return False
    return b"sender" in command and int(parent) == supervisor
