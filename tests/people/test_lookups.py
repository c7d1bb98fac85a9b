"""Looking a person up: by whatever the caller reads out, on record, within a bound, as far as the role may see."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from statuspage.db import transaction
from statuspage.domain.address import AddressError
from statuspage.domain.errors import NotAllowed, RuleError
from statuspage.models import AuditEntry
from statuspage.services import audit, lookups, signup, users
from statuspage.services.actor import CLI, Actor, of_user
from statuspage.services.addresses import AddressKey
from statuspage.services.lookups import LookedUp
from statuspage.services.people_found import MOST_LINES
from tests.databases import NOW, SECRET
from tests.people.crowd import ICCID, Crowd, file, row

ANNA = row("A-1", "+79161111111", email="anna@example.org", language="ru")
TERMINAL = row("M/7", "", iccid=ICCID, contact_msisdn="+79162222222", segment="pos_m2m", language="zh")
KEY = AddressKey.derive(SECRET)


def person(crowd: Crowd, role: str) -> Actor:
    with transaction(crowd.sessions) as session:
        user, _ = users.add_user(session, CLI, email=f"{role}@tests.example", role=role, now=NOW)
        return of_user(user)


def look_up(crowd: Crowd, text: str, actor: Actor = CLI) -> LookedUp:
    with transaction(crowd.sessions) as session:
        return lookups.look_up(session, actor, text, crowd.settings, now=crowd.clock.now())


@pytest.mark.parametrize(
    ("text", "account"),
    [
        ("8 916 111-11-11", "A-1"),
        (" Anna@Example.org", "A-1"),
        ("A-1", "A-1"),
        (ICCID, "M/7"),
        (f"{ICCID[:4]} {ICCID[4:12]} {ICCID[12:]}", "M/7"),
        ("+7 916 222-22-22", "M/7"),
        ("M/7", "M/7"),
    ],
)
def test_a_person_is_found_by_whatever_the_caller_reads_out(crowd: Crowd, text: str, account: str) -> None:
    """Number in any spelling, e-mail, SIM, account, or the number at which a terminal's owner is told."""
    crowd.load(file(ANNA, TERMINAL))
    (case,) = look_up(crowd, text).found.cases
    assert case.account == account
    assert [line.machine for standing in case.standings for line in standing.lines] == [account == "M/7"]


def test_a_line_whose_contact_is_another_is_found_by_its_own_number(crowd: Crowd) -> None:
    """A child's number finds the line, and the parent who is told."""
    crowd.load(file(row("A-2", "+79163333333", contact_msisdn="+79164444444")))
    (case,) = look_up(crowd, "+79163333333").found.cases
    assert (case.account, [who.sms for who in case.told]) == ("A-2", ["+79164444444"])


def test_a_sign_up_is_found_beside_the_account(crowd: Crowd) -> None:
    """Whoever pays and has signed up on the page too is both, also when the account was asked for."""
    crowd.load(file(ANNA))
    with transaction(crowd.sessions) as session:
        signup.request_signup(session, "anna@example.org", "en", crowd.settings, now=NOW)
    paying, signed_up = look_up(crowd, "A-1").found.cases
    assert (paying.account, [(who.signup, who.language) for who in paying.told]) == ("A-1", [(None, "ru")])
    assert (signed_up.account, [(who.signup, who.language) for who in signed_up.told]) == (None, [("pending", "en")])


def test_only_the_newest_file_counts(crowd: Crowd) -> None:
    """Who was replaced or erased is not found."""
    crowd.load(file(ANNA))
    crowd.load(file(row("A-1", "+79161111111", email="new@example.org")))
    assert look_up(crowd, "anna@example.org").found.cases == ()
    (case,) = look_up(crowd, "new@example.org").found.cases
    assert case.account == "A-1"


def test_a_merchant_of_hundreds_is_no_copy_of_them(crowd: Crowd) -> None:
    """Of an account with many lines only so many are shown, and that there are more is said."""
    lines = [row("M/9", f"+7917{n:07d}", contact_msisdn="+79165555555") for n in range(MOST_LINES + 1)]
    crowd.load(file(*lines))
    found = look_up(crowd, "M/9").found
    (case,) = found.cases
    assert sum(len(standing.lines) for standing in case.standings) == MOST_LINES
    assert found.more


@pytest.mark.parametrize(
    ("role", "sms", "email"),
    [("call_centre", "+7…2222", "s…@example.org"), ("engineer", "+79162222222", "shop@example.org")],
)
def test_the_role_decides_what_is_seen(crowd: Crowd, role: str, sms: str, email: str) -> None:
    """Who cannot have the file sees what the caller said and the ends of the rest; who loads the file sees it all."""
    crowd.load(
        file(row("M/7", "", iccid=ICCID, contact_msisdn="+79162222222", email="shop@example.org", segment="pos_m2m"))
    )
    actor = person(crowd, role)
    (case,) = look_up(crowd, ICCID, actor).found.cases
    assert [(who.sms, who.email) for who in case.told] == [(sms, email)]
    assert [line.key for standing in case.standings for line in standing.lines] == [ICCID]
    (case,) = look_up(crowd, "+79162222222", actor).found.cases
    assert [(who.sms, who.email) for who in case.told] == [("+79162222222", email)]


@pytest.mark.parametrize("text", ["+79161111111", "anna@example.org", "A-1", "+79169999999"])
def test_who_asked_about_whom_is_kept_without_saying_who_that_is(crowd: Crowd, text: str) -> None:
    """The audit has the colleague, how it was asked, a keyed hash and ids; a look-up that finds nobody is in it too."""
    crowd.load(file(ANNA))
    agent = person(crowd, "call_centre")
    found = look_up(crowd, text, agent).found
    with transaction(crowd.sessions, read_only=True) as session:
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert entry is not None
        assert audit.verify(session)[1] is None
    assert (entry.action, entry.entity, entry.actor_id) == ("person.looked_up", "lookup", agent.name)
    assert KEY.hash(text) in entry.detail["keys"]
    assert entry.detail["contacts"] == list(found.contact_ids)
    assert bool(entry.detail["accounts"]) == (text != "+79169999999")
    assert text not in str(entry.detail)


def test_nobody_is_looked_up_off_the_record(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the audit cannot be written, nothing is told."""

    def fail(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    crowd.load(file(ANNA))
    monkeypatch.setattr(audit, "record", fail)
    with pytest.raises(OSError, match="disk is full"):
        look_up(crowd, "A-1")


def test_one_person_looks_up_only_so_many_an_hour(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found or not, each counts; the bound is each person's own, ends with the hour, and a clock that was ahead and was
    put right binds nobody."""
    monkeypatch.setattr(lookups, "MOST_AN_HOUR", 3)
    agent, colleague = person(crowd, "call_centre"), person(crowd, "engineer")
    for number in range(3):
        crowd.clock.advance(timedelta(minutes=10))
        look_up(crowd, f"A-{number}", agent)
    with pytest.raises(RuleError) as refused:
        look_up(crowd, "A-1", agent)
    assert refused.value.code == lookups.TOO_MANY
    look_up(crowd, "A-1", colleague)
    look_up(crowd, "A-1", CLI)
    at = crowd.clock.now()
    crowd.clock.advance(timedelta(minutes=40))
    look_up(crowd, "A-1", agent)
    with pytest.raises(RuleError):
        look_up(crowd, "A-1", agent)
    crowd.clock.set(at - timedelta(hours=3))
    look_up(crowd, "A-1", agent)


@pytest.mark.parametrize(
    ("text", "code"),
    [("+7 12", "not_a_number"), ("anna@", "not_an_email"), ("", "empty"), ("?!", "not_a_number")],
)
def test_what_it_cannot_be_is_refused_and_not_counted(crowd: Crowd, text: str, code: str) -> None:
    """Neither number, e-mail, SIM nor account: the mistake is named, and nobody was looked up."""
    with pytest.raises(AddressError) as refused:
        look_up(crowd, text)
    assert refused.value.code == f"address.{code}"
    with transaction(crowd.sessions, read_only=True) as session:
        assert session.scalar(select(AuditEntry.id).where(AuditEntry.entity == lookups.ENTITY)) is None


def test_a_misheard_sim_is_doubted(crowd: Crowd) -> None:
    """Nineteen or twenty digits that nobody has: the check digit says that one of them was misread."""
    wrong = ICCID[:-1] + str((int(ICCID[-1]) + 1) % 10)
    crowd.load(file(TERMINAL))
    answer = look_up(crowd, wrong)
    assert answer.found.cases == ()
    assert answer.doubt is not None
    assert answer.doubt.code == "address.bad_check_digit"


def test_a_viewer_looks_nobody_up(crowd: Crowd) -> None:
    """Whoever may only read incidents learns nothing of people."""
    with pytest.raises(NotAllowed):
        look_up(crowd, "A-1", person(crowd, "viewer"))
