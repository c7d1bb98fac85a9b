"""The command line of people, incidents, routes, grace, playbook and audit: what it prints and how it ends."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from statuspage.clock import FrozenClock
from statuspage.db import transaction
from statuspage.services import grace_inquiries
from tests.commands.conftest import Run
from tests.services.world import World


def _json(run: Run, *arguments: str) -> Any:
    code, out, err = run(*arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def test_sample_prints_first_passwords_once(run_empty: Run) -> None:
    """The first loading shows two passwords, the second none; the audit holds."""
    run = run_empty
    code, first, _ = run("sample")
    assert code == 0
    assert "engineer@demo.example" in first
    code, second, _ = run("sample")
    assert (code, "demo.example" in second) == (0, False)
    assert [one["role"] for one in _json(run, "user", "list")] == ["approver", "engineer"]
    assert _json(run, "audit", "verify")["broken_at"] is None
    code, out, _ = run("audit", "export", "--entity", "user")
    assert len([json.loads(line) for line in out.splitlines()]) == 2


def test_whole_incident_by_command_line(run: Run, clock: FrozenClock) -> None:
    """Declare, check a route, update, restore, verify, resolve; the page is published at each step."""
    looked = ("--not-affected", "calls")
    declared = _json(run, "incident", "declare", "--template", "billing_outage", "--started-at", "10:00", *looked)
    public_id = declared["id"]
    assert declared["started_at"] == "2026-11-22T07:00:00+00:00"
    assert declared["grace"][0]["until"] == "2026-11-25T21:00:00+00:00"
    assert declared["not_affected"] == ["calls"]
    assert run("route", "set", "bank_app", "works")[0] == 0
    states = {one["key"]: one["state"] for one in _json(run, "route", "list", "--kind", "payment")}
    assert (states["bank_app"], states["promised_payment"]) == ("works", "down")
    assert run("incident", "owner", public_id, "engineer@demo.example")[0] == 0
    clock.advance(timedelta(minutes=20))
    updated = _json(run, "incident", "update", public_id, "--state", "identified", "--expected-end", "2026-11-22T16:00")
    assert updated["expected_end_at"] == "2026-11-22T13:00:00+00:00"
    assert len(updated["updates"]) == 2
    clock.advance(timedelta(minutes=20))
    restored = _json(run, "incident", "restored", public_id, "--credited-by", "22:00")
    assert (restored["state"], restored["components"]["top_up"]) == ("restored_catching_up", "degraded_performance")
    code, _, err = run("incident", "resolve", public_id)
    assert code == 1
    assert "crediting is verified" in err
    code, _, err = run("incident", "crediting", public_id, "--queued", "100", "--credited", "120")
    assert code == 1
    assert "credited: 120 is more than the 100 queued" in err
    credit = ("incident", "crediting", public_id, "--queued", "7", "--credited")
    assert run(*credit, "7")[:2] == (0, "Crediting is verified.\n")
    code, out, _ = run(*credit, "6")
    assert (code, out) == (0, "Recorded: 6 of 7 queued payments are credited. Crediting is not verified.\n")
    assert run("incident", "resolve", public_id)[0] == 1
    assert run(*credit, "7")[0] == 0
    resolved = _json(run, "incident", "resolve", public_id)
    assert (resolved["state"], resolved["grace"][0]["state"]) == ("resolved", "tail")
    rows = {one["row"]: one["state"] for one in _json(run, "playbook", "show", public_id)}
    assert (rows["page_tells"], rows["restored_truthfully"]) == ("done", "done")
    assert [one["id"] for one in _json(run, "incident", "list")] == [public_id]
    assert _json(run, "incident", "list", "--open") == []
    assert _json(run, "audit", "verify")["broken_at"] is None


def test_report_and_review_by_command_line(run: Run, clock: FrozenClock, tmp_path: Path) -> None:
    """A resolved incident's report is printed in each form and handed in; its review comes from files."""
    public_id = _json(run, "incident", "declare", "--template", "billing_outage")["id"]
    assert run("incident", "restored", public_id)[0] == 0
    assert run("incident", "resolve", public_id, "--override", "Figures come tomorrow.")[0] == 0
    for form, said in (("html", "</html>"), ("json", '"audit_head"'), ("csv", "facts.audit_head")):
        code, out, _ = run("report", public_id, "--format", form)
        assert (code, said in out) == (0, True)
    assert run("report", public_id, "--filed", "internal")[0] == 0
    assert run("report", public_id, "--filed", "horoscope")[0] == 1
    clock.advance(timedelta(hours=1))
    review = tmp_path / "review.txt"
    review.write_text("Диск переполнился.", encoding="utf-8")
    shown = _json(run, "incident", "postmortem", public_id, "--file", f"ru={review}", "--text", "en=A disk was full.")
    assert shown["state"] == "postmortem"
    assert shown["updates"][0]["body"] == {"ru": "Диск переполнился.", "en": "A disk was full."}
    done = {one["clock"]: one["done_at"] for one in shown["clocks"]}
    assert done["report:internal"] is not None
    assert done["report:public"] is not None
    assert run("incident", "postmortem", public_id, "--file", "ru=/nowhere")[0] == 2


def test_nothing_is_said_to_work_by_itself(run: Run) -> None:
    """A template of the command line ticks nothing either."""
    assert _json(run, "incident", "declare", "--template", "billing_outage")["not_affected"] == []


def test_words_in_one_language_and_no_template(run: Run) -> None:
    """Fields alone are enough; a text that names no language is in the default one."""
    shown = _json(
        run, "incident", "declare", "--title", "en=Invoices are late", "--text", "en=They come a day later.",
        "--component", "invoices=degraded_performance", "--draft", "--key", "once",
    )  # fmt: skip
    assert (shown["title"], shown["publication"]) == ({"en": "Invoices are late"}, "draft")
    code, _, err = run("incident", "update", shown["id"], "--state", "identified")
    assert code == 2
    assert "--text" in err
    assert run("incident", "update", shown["id"], "--text", "Счета придут завтра.")[0] == 0
    code, _, err = run("incident", "publish", shown["id"])
    assert code == 0
    assert "locale:zh" in err
    code, out, _ = run("incident", "show", shown["id"])
    assert "Invoices are late" in out
    assert run("incident", "withdraw", shown["id"])[0] == 0


def test_the_same_key_declares_once(run: Run, clock: FrozenClock) -> None:
    """The same command later answers with the same incident, whatever times it leaves open; another is refused."""
    asked = ("incident", "declare", "--template", "billing_outage", "--owner", "engineer@demo.example", "--key", "k-1")
    first = _json(run, *asked)
    clock.advance(timedelta(seconds=40))
    assert _json(run, *asked)["id"] == first["id"]
    clock.advance(timedelta(hours=3))
    again = _json(run, *asked)
    assert (again["id"], again["started_at"]) == (first["id"], first["started_at"])
    assert [one["id"] for one in _json(run, "incident", "list")] == [first["id"]]
    code, _, err = run(*asked, "--started-at", "10:00")
    assert code == 1
    assert "used before for a different request" in err
    assert run(*asked, "--draft")[0] == 1


def test_a_subject_of_two_lines_is_refused(run: Run) -> None:
    """The command line names the field, what is wrong and what to do, and keeps nothing."""
    incident = _json(run, "incident", "declare", "--template", "billing_outage")["id"]
    made = _json(run, "campaign", "draft", incident)["id"]
    code, _, err = run("campaign", "edit", made, "--text", "subject.ru=Оплата\nBcc: x@example.com")
    assert code == 1
    assert "subject.ru: it holds a line break. Write it on one line." in err


def test_grace_by_command_line(run: Run, world: World) -> None:
    """Shown with its ledger, extended to the end of a day, checked now and in the past; never shortened. A person's
    question is not taken for dunning's."""
    incident = _json(run, "incident", "declare", "--template", "data_sim_outage")
    policy = incident["grace"][0]["policy"]
    assert run("grace", "extend", policy, "2026-11-28")[0] == 0
    (shown,) = _json(run, "grace", "show", incident["id"])
    assert [entry["cause"] for entry in shown["ledger"]] == ["declared", "extended"]
    assert datetime.fromisoformat(shown["until"]) == datetime(2026, 11, 28, 21, tzinfo=UTC)
    code, _, err = run("grace", "extend", policy, "2026-11-26")
    assert code == 1
    assert "until" in err
    assert run("grace", "extend", policy, "next week")[0] == 2
    answer = _json(run, "grace", "check", "+79161234567")
    assert (answer["decision"], answer["recognised"], answer["policy"]) == ("hold", False, policy)
    assert answer["until"] == "2026-11-29T06:00:00+00:00"
    assert answer["promised_until"] == "2026-11-28T21:00:00+00:00"
    code, told, _ = run("grace", "check", "+79161234567")
    assert "until 2026-11-29 00:00 MSK; the line is suspended not before 2026-11-29 09:00 MSK" in told
    assert "10 % an hour (staggered release); the line is in no subscriber file" in told
    with transaction(world.sessions, read_only=True) as session:
        assert grace_inquiries.last(session) is None
    assert run("grace", "check", "+79161234567", "--system", "dunning-1")[0] == 0
    with transaction(world.sessions, read_only=True) as session:
        asked = grace_inquiries.last(session)
        assert asked is not None
        assert asked.asker == "dunning-1"
    before = _json(run, "grace", "check", "account:A-1", "--at", "2026-11-20T10:00")
    assert (before["decision"], before["why"]) == ("proceed", "No promise covers the line.")
    code, _, err = run("grace", "check", "12")
    assert code == 1
    assert [one["key"] for one in _json(run, "grace", "show")] == ["standard_outage"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("incident", "show", "000000000000"), 1, "incident"),
        (("incident", "declare", "--template", "nothing"), 1, "billing_outage"),
        (("incident", "declare", "--template", "billing_outage", "--segment", "vip"), 1, "prepaid"),
        (("incident", "declare", "--template", "billing_outage", "--not-affected", "emergency_calls"), 1, "person"),
        (("incident", "declare", "--template", "billing_outage", "--component", "top_up=gone"), 2, "major_outage"),
        (("incident", "declare", "--template", "billing_outage", "--started-at", "soon"), 2, "2026-11-22"),
        (("incident", "declare", "--cause", "magic"), 2, "unknown"),
        (("route", "set", "pigeon", "works"), 1, "bank_app"),
        (("route", "set", "bank_app", "maybe"), 2, "works_delayed"),
        (("user", "add", "nobody", "--role", "engineer"), 1, "email"),
        (("user", "add", "a@demo.example", "--role", "boss"), 1, "engineer"),
        (("playbook", "tick", "000000000000", "x", "--note", "y"), 1, "incident"),
        (("nonsense",), 2, "nonsense"),
    ],
)
def test_refusal_names_field_and_remedy(run: Run, arguments: tuple[str, ...], code: int, said: str) -> None:
    """Exit 1 for a rule, 2 for wrong use; either way the message helps."""
    ended, _, err = run(*arguments)
    assert ended == code, err
    assert said in err


def test_the_subscriber_file_is_explained_by_command_line(run: Run, tmp_path: Path) -> None:
    """Columns with this operator's segments, and a sample that is taken as it is."""
    told = _json(run, "subscribers", "columns")
    assert [one["name"] for one in told["columns"]][:2] == ["account_id", "msisdn"]
    assert "prepaid" in told["segments"]
    code, table, _ = run("subscribers", "columns")
    assert code == 0
    assert "да" in table
    code, out, _ = run("subscribers", "sample")
    sample = tmp_path / "sample.csv"
    sample.write_text(out, encoding="utf-8")
    result = _json(run, "subscribers", "import", str(sample), "--dry-run")
    assert (code, result["accepted"], result["refused"]) == (0, 3, 0)
    assert "subscribers columns" in " ".join(run("subscribers", "import", "--help")[1].split())


def test_an_import_that_leaves_lines_out_does_not_end_like_a_whole_one(run: Run, tmp_path: Path) -> None:
    """0 every line, 3 some, 1 none, checked only or in earnest; how many and where they are named is said besides."""
    lines = run("subscribers", "sample")[1].splitlines()
    wrong = lines[1].replace("prepaid", "gold")
    for name, body, code, said in (
        ("whole", lines, 0, ""),
        ("partly", [*lines, wrong], 3, "1 of 4 lines"),
        ("twice", [*lines, lines[1]], 3, "1 of 4 lines"),
        ("none", [lines[0], wrong], 1, "not one line"),
        ("empty", lines[:1], 1, "not one line"),
    ):
        path = tmp_path / f"{name}.csv"
        path.write_text("\n".join(body), encoding="utf-8")
        for options in (("--dry-run",), (), ("--json",)):
            ended, _, err = run("subscribers", "import", str(path), *options)
            assert (ended, name) == (code, name)
            assert said in err
            assert ("refused" in err) == (name in {"partly", "twice", "none"})


def test_people_by_command_line(run: Run) -> None:
    """Made with a password shown once, given another role, shut out, let in, reset."""
    code, out, _ = run("user", "add", "legal@demo.example", "--role", "legal")
    assert (code, "shown this once" in out) == (0, True)
    for arguments in (("role", "legal@demo.example", "manager"), ("disable", "legal@demo.example")):
        assert run("user", *arguments)[0] == 0
    (person,) = [one for one in _json(run, "user", "list") if one["email"] == "legal@demo.example"]
    assert person["role"] == "manager"
    assert person["disabled_at"] is not None
    assert run("user", "enable", "legal@demo.example")[0] == 0
    code, again, _ = run("user", "reset", "legal@demo.example")
    assert (code, again == out) == (0, False)
