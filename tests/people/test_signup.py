"""Sign-ups on the page: double opt-in, manage, stop, forget."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from notifiers.base import Channel
from statuspage.db import transaction
from statuspage.domain.address import AddressError
from statuspage.domain.consent import SuppressionReason
from statuspage.domain.errors import NotFound
from statuspage.models import AuditEntry, Contact, Delivery, Subscription, Suppression
from statuspage.services import consent, signup, suppressions
from statuspage.services.addresses import AddressKey
from statuspage.services.links import Links
from tests.databases import SECRET
from tests.people.crowd import Crowd

KEY = AddressKey.derive(SECRET)
LINKS = Links("http://localhost", SECRET)
ANNA = "anna@example.org"


def ask(crowd: Crowd, email: str = ANNA, locale: str = "en") -> None:
    with transaction(crowd.sessions) as session:
        signup.request_signup(session, email, locale, crowd.settings, now=crowd.clock.now())


def tokens(crowd: Crowd) -> list[str]:
    """Of the confirmation mails in the outbox, oldest first."""
    with transaction(crowd.sessions, read_only=True) as session:
        names = session.scalars(select(Delivery.dedupe).order_by(Delivery.id))
        return [LINKS.confirm(name).rpartition("/")[2] for name in names]


def confirm(crowd: Crowd, token: str) -> signup.Signup:
    with transaction(crowd.sessions) as session:
        return signup.confirm(session, LINKS, token, now=crowd.clock.now())


def state(crowd: Crowd) -> list[str]:
    with transaction(crowd.sessions, read_only=True) as session:
        return list(session.scalars(select(Subscription.state)))


def suppress(crowd: Crowd, reason: SuppressionReason) -> None:
    with transaction(crowd.sessions) as session:
        refused = suppressions.Refused("email", KEY.hash(ANNA), reason, "test")
        suppressions.add(session, [refused], now=crowd.clock.now())


def test_nobody_is_told_before_confirming(crowd: Crowd) -> None:
    """A sign-up waits with one mail in the outbox; the link in it makes it active, and again has the same effect."""
    ask(crowd, "Anna@Example.org")
    assert state(crowd) == ["pending"]
    [token] = tokens(crowd)
    assert confirm(crowd, token).state == "active"
    assert confirm(crowd, token).email == "a…@example.org"
    assert state(crowd) == ["active"]
    with transaction(crowd.sessions, read_only=True) as session:
        assert session.scalars(select(Contact.language)).one() == "en"
        actions = session.scalars(select(AuditEntry.action)).all()
    assert actions == ["signup.requested", "signup.confirmed"]


def test_no_address_is_refused(crowd: Crowd) -> None:
    """What is no address is refused before anything is stored."""
    with pytest.raises(AddressError):
        ask(crowd, "anna at example")
    assert state(crowd) == []


def test_twice_is_one_person(crowd: Crowd) -> None:
    """Asking again sends the mail again, at most three a day, and makes no second contact."""
    for _ in range(5):
        crowd.clock.advance(timedelta(minutes=1))
        ask(crowd)
    assert len(tokens(crowd)) == 3
    assert state(crowd) == ["pending"]
    crowd.clock.advance(timedelta(days=1))
    ask(crowd)
    assert len(tokens(crowd)) == 4


@pytest.mark.parametrize(
    "reason", [SuppressionReason.COMPLAINT, SuppressionReason.HARD_BOUNCE, SuppressionReason.BY_STAFF]
)
def test_a_closed_address_gets_no_mail(crowd: Crowd, reason: SuppressionReason) -> None:
    """An address that bounced or complained gets nothing, and the caller is told nothing of it."""
    suppress(crowd, reason)
    ask(crowd)
    assert tokens(crowd) == []
    assert state(crowd) == []


def test_every_request_is_written_down(crowd: Crowd) -> None:
    """With a mail or without, one entry is made durable: the time of the answer tells a stranger nothing either."""
    for _ in range(signup.MAILS_PER_DAY + 1):
        crowd.clock.advance(timedelta(minutes=1))
        ask(crowd)
    suppress(crowd, SuppressionReason.COMPLAINT)
    ask(crowd)
    with transaction(crowd.sessions, read_only=True) as session:
        written = [(one.action, one.detail) for one in session.scalars(select(AuditEntry).order_by(AuditEntry.id))]
    assert written[: signup.MAILS_PER_DAY] == [("signup.requested", {})] * signup.MAILS_PER_DAY
    assert written[signup.MAILS_PER_DAY :] == [
        ("signup.not_mailed", {"why": "often"}),
        ("signup.not_mailed", {"why": "closed"}),
    ]


@pytest.mark.parametrize("reason", [SuppressionReason.OPT_OUT, SuppressionReason.ERASED])
def test_the_owner_may_come_back(crowd: Crowd, reason: SuppressionReason) -> None:
    """Whoever opted out or was erased may sign up again; the suppression falls with the confirmation, not before."""
    suppress(crowd, reason)
    ask(crowd)
    with transaction(crowd.sessions, read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(Suppression)) == 1
    confirm(crowd, tokens(crowd)[0])
    with transaction(crowd.sessions, read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(Suppression)) == 0


@pytest.mark.parametrize(
    "spoil",
    [lambda token: token[:-2], lambda token: "x" + token, lambda _: "nonsense"],
    ids=["cut", "longer", "made_up"],
)
def test_damaged_links(crowd: Crowd, spoil: object) -> None:
    """A link that was cut or made up confirms nothing."""
    ask(crowd)
    with pytest.raises(NotFound):
        confirm(crowd, spoil(tokens(crowd)[0]))  # type: ignore[operator]
    assert state(crowd) == ["pending"]


def test_links_of_one_purpose_do_not_serve_another(crowd: Crowd) -> None:
    """A manage link cannot confirm, nor the reverse."""
    ask(crowd)
    with transaction(crowd.sessions, read_only=True) as session:
        public_id = str(session.scalars(select(Subscription.public_id)).one())
    with pytest.raises(NotFound):
        LINKS.read_confirm(LINKS.manage("en", public_id).rpartition("/")[2], now=crowd.clock.now())


def test_a_link_runs_out(crowd: Crowd) -> None:
    """After 24 hours the link confirms nothing."""
    ask(crowd)
    crowd.clock.advance(timedelta(hours=24, seconds=1))
    with pytest.raises(NotFound):
        confirm(crowd, tokens(crowd)[0])


def test_an_old_link_does_not_undo_the_end(crowd: Crowd) -> None:
    """Who ended the sign-up is not signed up again by the old confirmation link."""
    ask(crowd)
    [token] = tokens(crowd)
    found = confirm(crowd, token)
    manage = LINKS.manage("en", found.public_id).rpartition("/")[2]
    crowd.clock.advance(timedelta(minutes=1))
    with transaction(crowd.sessions) as session:
        assert signup.end(session, LINKS, manage, now=crowd.clock.now()).state == "ended"
    with pytest.raises(NotFound):
        confirm(crowd, token)
    assert state(crowd) == ["ended"]
    ask(crowd)
    assert confirm(crowd, tokens(crowd)[1]).state == "active"


def test_manage(crowd: Crowd) -> None:
    """The manage link shows and changes the language."""
    ask(crowd)
    found = confirm(crowd, tokens(crowd)[0])
    manage = LINKS.manage("en", found.public_id).rpartition("/")[2]
    with transaction(crowd.sessions) as session:
        assert signup.choose_language(session, LINKS, manage, "zh", now=crowd.clock.now()).locale == "zh"
    with transaction(crowd.sessions, read_only=True) as session:
        assert signup.managed(session, LINKS, manage).locale == "zh"


def test_the_unconfirmed_are_forgotten(crowd: Crowd) -> None:
    """After seven days nothing of an unconfirmed sign-up is left, also not in the outbox; confirmed ones stay."""
    ask(crowd)
    ask(crowd, "boris@example.org")
    confirm(crowd, tokens(crowd)[1])
    crowd.clock.advance(timedelta(days=7, seconds=1))
    with transaction(crowd.sessions) as session:
        assert signup.forget_unconfirmed(session, now=crowd.clock.now()) == 1
    with transaction(crowd.sessions, read_only=True) as session:
        assert session.scalars(select(Contact.email)).all() == ["boris@example.org"]
        assert session.scalars(select(Delivery.address).order_by(Delivery.id)).all() == [None, "boris@example.org"]


def test_one_click_stops_everything(crowd: Crowd) -> None:
    """An unsubscribe link suppresses the address for every campaign and ends the sign-up; twice is once."""
    ask(crowd)
    confirm(crowd, tokens(crowd)[0])
    token = LINKS.unsubscribe("email", KEY.hash(ANNA)).rpartition("/")[2]
    for _ in range(2):
        with transaction(crowd.sessions) as session:
            assert consent.opt_out(session, LINKS, token, now=crowd.clock.now()) is Channel.EMAIL
    assert state(crowd) == ["ended"]
    with transaction(crowd.sessions, read_only=True) as session:
        row = session.scalars(select(Suppression)).one()
        assert (row.channel, row.address_hash, row.reason) == ("email", KEY.hash(ANNA), "opt_out")
        assert session.scalars(select(AuditEntry.action)).all().count("consent.opted_out") == 1
