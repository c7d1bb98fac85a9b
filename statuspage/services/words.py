"""Words about a security incident: beyond the shipped holding statement they wait for a person with words:approve."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage import i18n
from statuspage.domain.errors import NotAllowed, RuleError
from statuspage.domain.incident import CauseCategory, IncidentState, Publication
from statuspage.domain.publication import check_words
from statuspage.domain.roles import Permission
from statuspage.models import AuditEntry, Incident, IncidentUpdate
from statuspage.services import audit, texts
from statuspage.services.actor import Actor
from statuspage.services.texts import Texts, Wording

APPROVED = "incident.words_approved"
_KEPT = "kept_words"


@dataclass(frozen=True)
class Kept:
    """Words of an update that is not published yet; `approved` once somebody has agreed to each of them."""

    state: IncidentState
    wording: Wording
    approved: bool


def holding(part: str) -> Texts:
    """The statement that may always go out, in every language we ship. `part` is title or body."""
    return {locale: i18n.gettext(locale, f"holding.{part}") for locale in i18n.KNOWN_LOCALES}


def keep(session: Session, incident: Incident, state: IncidentState, bodies: Texts, source: str, now: datetime) -> None:
    """Keep words for an update to `state` until somebody has agreed to them, instead of those kept before."""
    forget(session, incident, state)
    texts.write(session, _KEPT, incident.id, state, bodies, source, now)


def forget(session: Session, incident: Incident, state: IncidentState) -> None:
    texts.forget(session, _KEPT, incident.id, state)


def kept(session: Session, incident: Incident) -> list[Kept]:
    """What was kept, in the order in which an incident goes through its states."""
    known = _approved_hashes(session, incident)
    found = {IncidentState(state): wording for (_, state), wording in texts.read(session, _KEPT, [incident.id]).items()}
    return [
        Kept(state, found[state], all(_hash(body) in known for body in found[state].bodies.values()))
        for state in IncidentState
        if state in found
    ]


def unapproved(session: Session, incident: Incident) -> list[Texts]:
    """What nobody has agreed to of all that the incident says and is to say; nothing where nobody has to: while neither
    the cause is security nor words are kept for a person who agrees. The holding statement goes out before anybody has
    agreed, yet is looked at too."""
    return unapproved_of(session, [incident]).get(incident.id, [])


def unapproved_of(session: Session, incidents: Collection[Incident]) -> dict[int, list[Texts]]:
    """The same by row id, of those incidents of which there is any; as many queries for a hundred as for one."""
    waiting = _by_incident(texts.read(session, _KEPT, [one.id for one in incidents]))
    asked = [one for one in incidents if one.cause is CauseCategory.SECURITY or one.id in waiting]
    if not asked:
        return {}
    said, known = _said(session, asked), agreements(session, asked)
    found = {}
    for one in asked:
        its = known.get(one.public_id, set())
        statement = _statement() if its else set()
        new = [
            {locale: body for locale, body in each.items() if _hash(body) not in its and body not in statement}
            for each in (*said.get(one.id, ()), *waiting.get(one.id, ()))
        ]
        found[one.id] = [each for each in new if each]
    return {place: new for place, new in found.items() if new}


def seen(session: Session, incident: Incident) -> str:
    """A digest of all that a person who agrees now agrees to."""
    return digest(_to_approve(session, incident))


def digest(bodies: Iterable[Texts]) -> str:
    return _hash("\0".join(sorted(body for one in bodies for body in one.values())))


def approve_words(
    session: Session,
    actor: Actor,
    incident: Incident,
    bodies: Iterable[Texts] | None = None,
    *,
    read: str | None = None,
    now: datetime,
) -> int:
    """Approve `bodies`, or else all that the incident says so far and is to say, and return how many texts that was.

    The approval is bound to the very words: one that is edited afterwards waits again. `read` is the `digest` of what
    the person read; words that came since are not approved unread.
    """
    actor.require(Permission.WORDS_APPROVE)
    said = _to_approve(session, incident) if bodies is None else list(bodies)
    if read is not None and read != digest(said):
        message = "text: somebody has changed the words meanwhile. Read them again."
        raise RuleError("incident.words_changed", message, "text")
    hashes = sorted({_hash(body) for one in said for body in one.values()})
    audit.record(session, actor, APPROVED, "incident", incident.public_id, now, {"words": hashes})
    return len(hashes)


def approved(session: Session, incident: Incident) -> bool:
    """Whether anybody has approved words of this incident: the playbook's evidence."""
    return bool(_approved_hashes(session, incident))


def check_public(session: Session, actor: Actor, incident: Incident, bodies: Iterable[Texts], now: datetime) -> None:
    """Refuse words that the public must not see yet. What an approver writes himself is approved by that."""
    if incident.cause is not CauseCategory.SECURITY:
        return
    statement = _statement()
    new = [body for one in bodies for body in one.values() if body not in statement]
    if new and _may_agree(actor):
        approve_words(session, actor, incident, [{str(place): body for place, body in enumerate(new)}], now=now)
        return
    known = _approved_hashes(session, incident)
    check_words(incident.cause, holding_statement=not new, approved=all(_hash(body) in known for body in new))


def check_cause(actor: Actor, incident: Incident, cause: CauseCategory) -> None:
    """Refuse that the public's incident stops being one of security: its words would go out that nobody agreed to."""
    leaves = incident.cause is CauseCategory.SECURITY and cause is not CauseCategory.SECURITY
    if leaves and incident.publication is not Publication.DRAFT and not _may_agree(actor):
        raise NotAllowed(
            "incident.security_stays",
            "cause: it is security. Only a person with words:approve, logged in to the console, takes that back.",
            "cause",
        )


def agreements(session: Session, incidents: Collection[Incident]) -> dict[str, set[str]]:
    """Public id → the texts of the incident and of its campaigns that somebody has agreed to, for `all_agreed`."""
    query = select(AuditEntry.entity_id, AuditEntry.detail).where(
        AuditEntry.entity == "incident",
        AuditEntry.entity_id.in_([one.public_id for one in incidents]),
        AuditEntry.action == APPROVED,
    )
    found: dict[str, set[str]] = {}
    for public_id, detail in session.execute(query):
        found.setdefault(public_id, set()).update(detail["words"])
    return found


def all_agreed(known: Collection[str], bodies: Iterable[Texts]) -> bool:
    """Whether each of `bodies` is among what `agreements` found for the incident."""
    return all(_hash(body) in known for one in bodies for body in one.values())


def message_waits(session: Session, incident_id: int | None, bodies: Iterable[Texts]) -> bool:
    """Whether these drafted texts of a campaign are about a security incident and nobody has agreed to each of them."""
    incident = None if incident_id is None else session.get(Incident, incident_id)
    if incident is None or incident.cause is not CauseCategory.SECURITY:
        return False
    return not all_agreed(_approved_hashes(session, incident), bodies)


def check_message(session: Session, incident_id: int | None, bodies: Iterable[Texts]) -> None:
    """Refuse a campaign while `message_waits`."""
    if message_waits(session, incident_id, bodies):
        raise NotAllowed(
            "campaign.words_not_approved",
            "text: the incident's cause is security, so a person with words:approve agrees to these texts first.",
            "text",
        )


def all_said(session: Session, incident: Incident) -> list[Texts]:
    """Title and updates."""
    return _said(session, [incident]).get(incident.id, [])


def _may_agree(actor: Actor) -> bool:
    """A person known by his own log-in; the command line has every permission and is nobody in particular."""
    return Permission.WORDS_APPROVE in actor.permissions and actor.kind == "user"


def _statement() -> set[str]:
    return {*holding("title").values(), *holding("body").values()}


def _to_approve(session: Session, incident: Incident) -> list[Texts]:
    waiting = texts.read(session, _KEPT, [incident.id]).values()
    return [*all_said(session, incident), *(one.bodies for one in waiting)]


def _said(session: Session, incidents: Collection[Incident]) -> dict[int, list[Texts]]:
    """row id → title and updates."""
    found = _by_incident(texts.read(session, "incident", [one.id for one in incidents]))
    query = select(IncidentUpdate.id, IncidentUpdate.incident_id)
    rows = session.execute(query.where(IncidentUpdate.incident_id.in_([one.id for one in incidents])))
    its: dict[int, int] = dict(rows.all())
    for (update, _), wording in texts.read(session, "incident_update", its).items():
        found.setdefault(its[update], []).append(wording.bodies)
    return found


def _by_incident(found: Mapping[tuple[int, str], Wording]) -> dict[int, list[Texts]]:
    bodies: dict[int, list[Texts]] = {}
    for (place, _), wording in found.items():
        bodies.setdefault(place, []).append(wording.bodies)
    return bodies


def _approved_hashes(session: Session, incident: Incident) -> set[str]:
    return agreements(session, [incident]).get(incident.public_id, set())


def _hash(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
