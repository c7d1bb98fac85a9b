"""Forgetting a person."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from statuspage.db import transaction
from statuspage.domain.consent import SuppressionReason
from statuspage.domain.errors import NotAllowed
from statuspage.models import AuditEntry, Contact, Delivery, Line, Suppression
from statuspage.services import erasure, lookups, people, suppressions
from statuspage.services.actor import CLI, PUBLIC
from statuspage.services.addresses import AddressKey
from statuspage.services.people_import_purge import tend_imports
from statuspage.services.suppressions import Refused
from tests.databases import NOW, SECRET
from tests.people.crowd import ICCID, Crowd, file, row

KEY = AddressKey.derive(SECRET)
ANNA = row("A1", "+79161111111", email="anna@example.org", balance="5", currency="RUB")
SHARED = row("A2", "+79162222222", email="anna@example.org")


def erase(crowd: Crowd, address: str) -> erasure.Erased:
    with transaction(crowd.sessions) as session:
        return erasure.erase(session, CLI, address, crowd.settings, now=crowd.clock.now())


def suppressed(crowd: Crowd) -> set[tuple[str, str, str]]:
    with transaction(crowd.sessions, read_only=True) as session:
        return {(one.channel, one.address_hash, one.reason) for one in session.scalars(select(Suppression))}


def test_an_erased_person_is_nowhere(crowd: Crowd) -> None:
    """The address is in no line, contact, delivery or audit entry any more; its hash is suppressed."""
    crowd.load(file(ANNA))
    with transaction(crowd.sessions) as session:
        _stand_in_outbox(session, "anna@example.org")
    erased = erase(crowd, "8 916 111-11-11")
    assert (erased.contacts, erased.lines, erased.deliveries) == (1, 1, 1)
    assert crowd.seen() == []
    assert suppressed(crowd) == {
        ("sms", KEY.hash("+79161111111"), "erased"),
        ("email", KEY.hash("anna@example.org"), "erased"),
    }
    with transaction(crowd.sessions, read_only=True) as session:
        everything = [
            *session.execute(select(Line.__table__)),
            *session.execute(select(Contact.__table__)),
            *session.execute(select(Delivery.__table__)),
            *session.execute(select(AuditEntry.__table__)),
        ]
        assert len(everything) == 6
        assert not [found for found in everything if "9161111111" in repr(found) or "anna@" in repr(found)]


def test_a_later_import_brings_the_line_back_but_not_the_messages(crowd: Crowd) -> None:
    """The next file names the person again: the line is there once, and the suppression holds."""
    crowd.load(file(ANNA))
    erase(crowd, "anna@example.org")
    crowd.load(file(ANNA))
    assert [one.key for one in crowd.seen()] == ["+79161111111"]
    assert ("email", KEY.hash("anna@example.org"), "erased") in suppressed(crowd)
    tend_imports(crowd.sessions, crowd.clock)
    with transaction(crowd.sessions, read_only=True) as session:
        assert len(session.scalars(select(Line)).all()) == 1
        assert len(session.scalars(select(Contact)).all()) == 1


def test_an_address_that_others_share_is_not_taken_from_them(crowd: Crowd) -> None:
    """Erasing one number leaves a shared mailbox to the other who is told there; erasing the mailbox takes both."""
    crowd.load(file(ANNA, SHARED))
    erase(crowd, "+79161111111")
    assert [(one.key, one.email) for one in crowd.seen()] == [("+79162222222", "anna@example.org")]
    assert suppressed(crowd) == {("sms", KEY.hash("+79161111111"), "erased")}
    assert erase(crowd, "ANNA@example.org").contacts == 1
    assert crowd.seen() == []


def test_a_terminal_outlives_its_contact(crowd: Crowd) -> None:
    """A merchant is forgotten, the terminal's line stays: it is a thing that must not be switched off."""
    crowd.load(file(row("P1", "", iccid=ICCID, segment="pos_m2m", contact_msisdn="+79163333333")))
    assert erase(crowd, "+79163333333").lines == 0
    assert [(one.key, one.sms) for one in crowd.seen()] == [(ICCID, None)]


def test_nobody_there(crowd: Crowd) -> None:
    """An address nobody has is suppressed all the same: it must not come with the next file."""
    assert erase(crowd, "nobody@example.org") == erasure.Erased(0, 0, 0)
    assert suppressed(crowd) == {("email", KEY.hash("nobody@example.org"), "erased")}


def test_only_who_may(crowd: Crowd) -> None:
    """Erasing needs its own permission."""
    with pytest.raises(NotAllowed), transaction(crowd.sessions) as session:
        erasure.erase(session, PUBLIC, "a@example.org", crowd.settings, now=NOW)


def test_export_can_be_imported_again(crowd: Crowd) -> None:
    """The exported file has the form of the imported one, terminals and consents included."""
    rows = [
        row("A1", "+79161111111", email="a@example.org", language="en", consent_sms="1", consent_email="0"),
        row("A2", "+79162222222", contact_msisdn="+79163333333", time_zone="Asia/Tokyo", balance="-7", currency="RUB"),
        row("P1", "", iccid=ICCID, segment="pos_m2m", contact_msisdn="+79164444444", paid_until="2026-12-01"),
    ]
    crowd.load(file(*rows))
    with transaction(crowd.sessions) as session:
        people.allow_export(session, CLI, now=NOW)
    with transaction(crowd.sessions, read_only=True) as session:
        first = "".join(people.lines_csv(session))
    before = crowd.seen()
    crowd.load(first)
    assert crowd.seen() == before
    with transaction(crowd.sessions, read_only=True) as session:
        assert sorted("".join(people.lines_csv(session)).splitlines()) == sorted(first.splitlines())


def test_who_opted_out_is_exported_as_refusing(crowd: Crowd) -> None:
    """What another system reads must not say that he agreed."""
    crowd.load(file(row("A1", "+79161111111", email="a@example.org", consent_sms="1", consent_email="1")))
    with transaction(crowd.sessions) as session:
        refused = Refused("email", KEY.hash("a@example.org"), SuppressionReason.OPT_OUT, "link")
        suppressions.add(session, [refused], now=NOW)
    with transaction(crowd.sessions, read_only=True) as session:
        (_, exported) = "".join(people.lines_csv(session)).splitlines()
    assert exported.endswith(",1,0")


@pytest.mark.parametrize(
    ("cell", "written"),
    [("=1+1", "'=1+1"), ("=5", "'=5"), ("@x", "'@x"), ("-2+3", "'-2+3"), ("\tx", "'\tx"),
     ("-2.5", "-2.5"), ("+79161234567", "+79161234567"), (None, ""), ("plain", "plain")],
)  # fmt: skip
def test_no_cell_is_a_formula(cell: str | None, written: str) -> None:
    """What a spreadsheet would calculate is written as text; numbers stay numbers."""
    assert people.neutral(cell) == written


def test_find_and_counts(crowd: Crowd) -> None:
    """The counts are of what is visible; who is still told is still found."""
    crowd.load(file(ANNA, SHARED))
    erase(crowd, "+79161111111")
    with transaction(crowd.sessions) as session:
        [found] = lookups.look_up(session, CLI, "Anna@Example.org", crowd.settings, now=NOW).found.cases
        [standing] = found.standings
        assert [(one.key, one.segment, one.region) for one in standing.lines] == [("+79162222222", "prepaid", "moscow")]
        counted = people.counts(session, CLI)
        assert (counted.lines, counted.segments, counted.languages) == (1, {"prepaid": 1}, {"ru": 1})
        assert counted.suppressed == {"erased": 1}


def _stand_in_outbox(session: object, address: str) -> None:
    from statuspage.services import outbox
    from statuspage.services.outbox import Recipient

    recipient = Recipient(1, address, KEY.hash(address), "ru", "Europe/Moscow", "x.1")
    outbox.enqueue_confirmation(session, recipient, {"subject": {"ru": "x"}, "mail": {"ru": "x"}}, "ru", now=NOW)  # type: ignore[arg-type]
