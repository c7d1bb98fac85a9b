"""How a campaign and its preview are shown on the command line."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import click
from sqlalchemy.orm import Session

from statuspage.commands.printing import local, print_facts, print_table
from statuspage.config import Settings
from statuspage.domain.delivery import TOLD, DeliveryState
from statuspage.models import Campaign, Incident
from statuspage.services import approval, counts, quiet_wait
from statuspage.services.alone import Release
from statuspage.services.preview import Preview
from statuspage.services.quiet_wait import QuietAhead

_TIMES = (
    *("created_at", "counted_at", "approved_at", "scheduled_at", "started_at"),
    *("first_accepted_at", "expanded_at", "finished_at"),
)


def document(session: Session, campaign: Campaign) -> dict[str, Any]:
    """The campaign with its counters: `open` still waits or is in flight, `told` was taken or delivered."""
    found = counts.read(session, campaign.id)
    incident = None if campaign.incident_id is None else session.get(Incident, campaign.incident_id)
    return {
        "id": campaign.public_id,
        "name": campaign.name,
        "incident": None if incident is None else incident.public_id,
        "kind": campaign.kind.value,
        "state": campaign.state.value,
        "pause_reason": campaign.pause_reason,
        "channels": list(campaign.channels),
        "audience": campaign.audience,
        "drafted_by": approval.done_by(session, campaign, "drafted"),
        "validity_minutes": campaign.validity_seconds // 60,
        "cost_ceiling": campaign.cost_ceiling,
        "currency": campaign.currency,
        "content_hash": campaign.content_hash,
        "quiet_hours_overridden": campaign.quiet_override_by is not None,
        "break_glass": campaign.break_glass_reason is not None,
        "version": campaign.version,
        **{name: getattr(campaign, name) for name in _TIMES},
        "told": counts.total(found, *TOLD),
        "open": counts.total(found, DeliveryState.PENDING),
        "counts": [
            {"channel": one.channel, "state": one.state.value, "reason": one.reason or None, "n": one.n}
            for one in found
        ],
    }


def put_off(session: Session, campaign: Campaign, settings: Settings, now: datetime) -> dict[str, Any] | None:
    """How many SMS quiet hours hold back and when the first and the last of them go; None when they hold back none."""
    found = quiet_wait.waiting(session, campaign, settings, now=now)
    return None if found is None else {"waiting": found.messages, "first": found.first, "last": found.last}


def print_status(shown: dict[str, Any], zone: ZoneInfo) -> None:
    facts = {name: value for name, value in shown.items() if name not in ("counts", *_TIMES)}
    held = facts.get("quiet_hours")
    if held is not None:
        first, last = local(held["first"], zone), local(held["last"], zone)
        until = first if first == last else f"the first until {first}, the last until {last}"
        facts["quiet_hours"] = f"{held['waiting']} SMS wait for them to end: {until}"
    print_facts({**facts, **{name.removesuffix("_at"): local(shown[name], zone) for name in _TIMES if shown[name]}})
    if shown["counts"]:
        click.echo()
        names = ("channel", "state", "reason", "n")
        print_table(names, [tuple(row[name] for name in names) for row in shown["counts"]])


def preview_document(shown: Preview) -> dict[str, Any]:
    return {
        **shown.summary(),
        "currency": shown.currency,
        "content_hash": shown.content_hash,
        "missing": list(shown.texts.missing),
        "warnings": {locale: list(found) for locale, found in shown.warnings.items()},
        "earlier": [
            {
                "id": one.campaign.public_id,
                "name": one.campaign.name,
                "started_at": one.campaign.started_at,
                "messages": one.messages,
            }
            for one in shown.earlier
        ],
        "quiet_hours": None if shown.quiet is None else _ahead(shown.quiet),
        "sms_take_too_long": None if shown.too_slow is None else str(shown.too_slow.takes),
        "second_person": {
            "needed": shown.release.needed,
            "always": shown.release.always,
            "threshold": shown.release.threshold,
            "released_without": shown.release.by_nobody,
        },
        "break_glass": {"cap": shown.release.cap, "released": shown.release.alone, "left": shown.release.left},
        "texts": shown.texts.bodies,
    }


def second_person(release: Release) -> str:
    """Whether a second person has to approve it, and why."""
    if release.always:
        return "needed, as for every campaign here"
    if release.together is not None:
        return (
            f"needed, because together with the {release.by_nobody} messages that were released without one, for this "
            f"incident or in the last 24 hours, it is {release.together}, above {release.threshold}"
        )
    return f"{'needed' if release.needed else 'not needed'}: the threshold is {release.threshold} messages"


def _ahead(quiet: QuietAhead) -> dict[str, Any]:
    zones = [{"zone": one.zone, "waiting": one.messages, "until": one.until} for one in quiet.zones]
    return {"started_at": quiet.at, "waiting": quiet.messages, "zones": zones, "not_sent": quiet.expired}


def print_preview(shown: Preview, zone: ZoneInfo) -> None:
    rows: list[tuple[object, ...]] = []
    for one in shown.channels:
        rows += [(one.channel, locale, n, one.segments_each.get(locale)) for locale, n in sorted(one.by_locale.items())]
        rows += [(one.channel, f"not told: {reason}", n, None) for reason, n in sorted(one.left_out.items())]
        if one.merged:
            rows.append((one.channel, "same address as another", one.merged, None))
    print_table(("channel", "", "people", "segments each"), rows)
    click.echo()
    facts: dict[str, object] = {
        "messages": shown.recipients,
        "cost": f"{shown.cost} {shown.currency}",
        "second person": second_person(shown.release),
    }
    if shown.texts.missing:
        facts["missing"] = shown.texts.missing
    for locale, found in shown.warnings.items():
        facts[f"warning, {locale}"] = found
    if shown.quiet is not None and (shown.quiet.zones or shown.quiet.expired):
        facts["quiet hours"] = [
            *(f"{one.messages} SMS in {one.zone} until {local(one.until, zone)}" for one in shown.quiet.zones),
            *([f"{shown.quiet.expired} SMS not at all"] if shown.quiet.expired else []),
        ]
    print_facts(facts)
    for notice in shown.earlier:
        at = local(notice.campaign.started_at, zone)
        click.echo(f"Already told by {notice.campaign.name}, {at}: {notice.messages} messages")
    for name, body in sorted(shown.texts.flat().items()):
        click.echo(f"\n[{name}]\n{body}")
