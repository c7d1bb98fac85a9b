"""Campaigns: the list, a draft from a template, its texts and audience, and what became of it."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.domain.campaign import EDITABLE, CampaignState
from statuspage.domain.delivery import DeliveryState
from statuspage.domain.errors import RuleError
from statuspage.domain.roles import Permission
from statuspage.models import Campaign, Delivery, Incident, User
from statuspage.services import (
    approval,
    campaign_templates,
    campaign_texts,
    campaigns,
    components,
    counts,
    incidents,
    preview,
    quiet_hours,
    quiet_wait,
    recipients,
    report_acts,
    waiting_words,
    words,
)
from statuspage.services.campaign_texts import Bodies
from statuspage.services.campaigns import Edit
from statuspage.services.earlier_notices import earlier_notices
from statuspage.services.waiting_words import WAITABLE
from statuspage.web import shell
from statuspage.web.access import access, actor, person
from statuspage.web.console import naming, samples
from statuspage.web.console.acting import act
from statuspage.web.console.progress import course
from statuspage.web.errors import status_of
from statuspage.web.forms import LONGEST_TEXT, Fields, Mistake, fields, remember, repeated
from statuspage.web.wiring import now, wiring

SHOWN_DELIVERIES = 100
MOST_VALIDITY = 36_000

blueprint = Blueprint("campaigns", __name__, url_prefix="/console/campaigns")


@blueprint.get("")
@access(Permission.INCIDENT_VIEW)
def index() -> ResponseReturnValue:
    with wiring().reading() as session:
        found = campaigns.list_campaigns(session)
        told = session.scalars(select(Incident).where(Incident.id.in_({one.incident_id for one in found}))).all()
        titles = incidents.titles(session, list(told))
        return shell.render(
            "console/campaigns/index.html",
            campaigns=[(one, course(one, counts.read(session, one.id))) for one in found],
            for_legal=waiting_words.campaigns(session, found),
            incidents={one.id: (one.public_id, naming.picked(titles.get(one.id))) for one in told},
        )


@blueprint.get("/new")
@access(Permission.CAMPAIGN_EDIT)
def new() -> ResponseReturnValue:
    return _new_page(request.args.get("incident", "")[:40], None)


@blueprint.post("/new")
@access(Permission.CAMPAIGN_EDIT)
def draft() -> ResponseReturnValue:
    """A doubled click drafts once."""
    form = fields()
    incident_id, key = form.text("incident", required=True), form.text("template", required=True)
    channels = [Channel(one) for one in form.several("channels", [one.value for one in Channel])]
    told_by = form.text("told_by")
    try:
        form.check()
        with wiring().writing() as session:
            made = repeated(session, "campaign.draft")
            if made is None:
                incident = incidents.get_incident(session, incident_id)
                template = campaigns.get_message_template(session, key)
                earlier = campaigns.get_campaign(session, told_by) if told_by else None
                made = campaigns.draft_campaign(
                    session, actor(), incident, template, channels=channels, told_by=earlier, now=now()
                ).public_id
                remember(session, "campaign.draft", made)
    except RuleError as error:
        return _new_page(incident_id, error), status_of(error)
    flash(shell.t("campaign.done_draft"))
    return redirect(url_for("campaigns.show", public_id=made), code=303)


@blueprint.get("/<public_id>")
@access(Permission.INCIDENT_VIEW)
def show(public_id: str) -> ResponseReturnValue:
    return page(public_id, None)


@blueprint.get("/<public_id>/progress")
@access(Permission.INCIDENT_VIEW)
def progress(public_id: str) -> ResponseReturnValue:
    """The moving part of the page alone, for whoever watches it."""
    with wiring().reading() as session:
        campaign = campaigns.get_campaign(session, public_id)
        return shell.render("console/campaigns/progress.html", campaign=campaign, **_progress(session, campaign))


@blueprint.post("/<public_id>/edit")
@access(Permission.CAMPAIGN_EDIT)
def edit(public_id: str) -> ResponseReturnValue:
    """Every edit takes the campaign back to draft and voids its approval."""
    form = fields()
    change = Edit(
        texts={field: typed for field in campaign_texts.ESCAPES if (typed := _typed(form, field))},
        audience=form.text("audience", limit=500) if "audience" in form.form else None,
        channels=[Channel(one) for one in form.several("channels", [one.value for one in Channel])],
        name=form.text("campaign_name", limit=120),
        cost_ceiling=_money(form, "cost_ceiling"),
        validity_seconds=(form.count("validity_minutes", required=True, most=MOST_VALIDITY // 60) or 0) * 60,
    )
    version = form.count("version", required=True)

    def keep(session: Session) -> None:
        form.check()
        campaign = campaigns.get_campaign(session, public_id)
        campaigns.edit_campaign(session, actor(), campaign, change, version=version or 0, now=now())

    return act(
        f"campaign.edit.{public_id}",
        keep,
        done="campaign.done_edit",
        onward=url_for("campaigns.show", public_id=public_id),
        page=lambda error: page(public_id, error),
    )


@blueprint.get("/<public_id>/deliveries")
@access(Permission.INCIDENT_VIEW)
def deliveries(public_id: str) -> ResponseReturnValue:
    """Up to 100 deliveries behind one figure: ids, states and reasons; who it was is not shown."""
    channel, state, reason = (request.args.get(name, "")[:40] for name in ("channel", "state", "reason"))
    with wiring().reading() as session:
        campaign = campaigns.get_campaign(session, public_id)
        query = (
            select(Delivery).where(Delivery.campaign_id == campaign.id).order_by(Delivery.id).limit(SHOWN_DELIVERIES)
        )
        if channel:
            query = query.where(Delivery.channel == channel)
        if state:
            held = [one.value for one in counts.IN_HAND]
            query = query.where(Delivery.state.in_(held if state == DeliveryState.PENDING else [state]))
            query = query.where(func.coalesce(Delivery.reason, "") == reason)
        return shell.render(
            "console/campaigns/deliveries.html",
            campaign=campaign,
            rows=list(session.scalars(query)),
            channel=channel,
            state=state,
            reason=reason,
            most=SHOWN_DELIVERIES,
        )


def page(public_id: str, error: RuleError | None, counted: object = None) -> str:
    """The campaign; `error`: why the last act was refused; `counted`: what was asked about the audience in the form."""
    with wiring().reading() as session:
        campaign = campaigns.get_campaign(session, public_id)
        frozen, drafted = campaign_texts.frozen(session, campaign), campaign_texts.draft(session, campaign)
        return shell.render(
            "console/campaigns/show.html",
            error=error,
            counted=counted,
            campaign=campaign,
            editable=campaign.state in EDITABLE,
            draft_texts=drafted,
            samples=samples.samples(frozen, wiring().settings) if campaign.content_hash is not None else [],
            earlier=earlier_notices(session, campaign) if campaign.state in EDITABLE else (),
            **_as_counted(campaign, frozen),
            newer_file=_newer_file(session, campaign),
            fields=[field for one in campaign.channels for field in campaign_texts.FIELDS[Channel(one)]],
            channels=list(Channel),
            placeholders=campaign_texts.PLACEHOLDERS,
            worked_on=person().id in approval.authors(session, campaign),
            approver=_name(session, campaign.approved_by),
            author=_who(session, campaign, "drafted") or _name(session, campaign.author_id),
            released_by=_who(session, campaign, "break_glass"),
            woken_by=_name(session, campaign.quiet_override_by),
            quiet=wiring().settings,
            quiet_decidable=campaign.state in quiet_hours.DECIDABLE and Channel.SMS in campaign.channels,
            break_glass_cap=wiring().settings.break_glass_cap,
            **_for_legal(session, campaign, drafted),
            **_incident_of(session, campaign),
            **_progress(session, campaign),
        )


def _progress(session: Session, campaign: Campaign) -> dict[str, object]:
    found = counts.read(session, campaign.id)
    stands = course(campaign, found)
    live = campaign.state in (CampaignState.RUNNING, CampaignState.PAUSED) or (
        campaign.state is CampaignState.CANCELLED and stands.way > 0
    )
    held = quiet_wait.waiting(session, campaign, wiring().settings, now=now())
    return {"counts": found, "course": stands, "live": live, "held": held}


def _as_counted(campaign: Campaign, frozen: Bodies) -> dict[str, object]:
    """What the author saw when asking for approval, for whoever approves; quiet hours as they would be at the start."""
    channels = preview.counted(campaign)
    at = campaign.scheduled_at or now()
    return {
        "counted_people": channels,
        "ahead": quiet_wait.ahead(campaign, preview.sms_by_zone(channels), wiring().settings, at=at),
        "warnings": preview.warnings_of(frozen),
        "slow": preview.too_slow(campaign, channels, wiring().settings),
    }


def _for_legal(session: Session, campaign: Campaign, drafted: Bodies) -> dict[str, object]:
    """Words are agreed to with their placeholders in them; `as_drafted` has them as people would read them."""
    waits = campaign.state in WAITABLE and words.message_waits(session, campaign.incident_id, drafted.values())
    as_drafted: list[samples.Sample] = []
    if waits and Permission.WORDS_APPROVE in actor().permissions:
        settings = wiring().settings
        as_drafted = samples.samples(campaign_texts.fill(session, campaign, settings, now=now()).bodies, settings)
    return {"words_read": words.digest(drafted.values()), "words_wait": waits, "as_drafted": as_drafted}


def _newer_file(session: Session, campaign: Campaign) -> bool:
    """Whether another subscriber file became visible after the people were counted."""
    return campaign.told_by_id is None and campaign.generation not in (None, recipients.current_generation(session))


def _incident_of(session: Session, campaign: Campaign) -> dict[str, object]:
    incident = session.get(Incident, campaign.incident_id) if campaign.incident_id is not None else None
    title = naming.picked(incidents.titles(session, [incident])[incident.id]) if incident is not None else ""
    return {"incident": incident, "incident_title": title, "still_broken": still_broken(session, campaign)}


def still_broken(session: Session, campaign: Campaign) -> list[tuple[str, str]]:
    """Public id and title of the other incidents because of which this end notice must not say that all works."""
    incident = session.get(Incident, campaign.incident_id) if campaign.told_by_id is not None else None
    return [] if incident is None else naming.incident_titles(session, components.also_broken_by(session, incident))


def _new_page(incident_id: str, error: RuleError | None) -> str:
    with wiring().reading() as session:
        incident = incidents.get_incident(session, incident_id)
        earlier = campaign_templates.told(session, incident)
        templates = campaign_templates.fitting(session, incident, earlier)
        return shell.render(
            "console/campaigns/new.html",
            error=error,
            incident=incident,
            incident_title=naming.picked(incidents.titles(session, [incident])[incident.id]),
            templates=templates,
            earlier=earlier,
            follows=earlier[0].public_id if earlier and any(map(campaign_templates.ends, templates[:1])) else "",
            channels=list(Channel),
        )


def _name(session: Session, user_id: int | None) -> str:
    user = session.get(User, user_id) if user_id is not None else None
    return user.name if user is not None else ""


def _who(session: Session, campaign: Campaign, act: str) -> str:
    """Who did it, in words also where it was no person who had logged in."""
    by = approval.done_by(session, campaign, act)
    return "" if by is None else shell.actor_name(report_acts.people(session, [by]), by)


def _typed(form: Fields, field: str) -> dict[str, str]:
    """locale → text, as it stands in the form; "" where somebody emptied it."""
    names = {one: f"{field}.{one}" for one in form.locales}
    return {one: form.text(name, limit=LONGEST_TEXT) for one, name in names.items() if name in form.form}


def _money(form: Fields, name: str) -> Decimal | None:
    value = form.text(name, limit=20)
    if not value:
        return None
    try:
        amount = Decimal(value.replace(",", "."))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        form.mistakes[name] = Mistake("no_amount")
        return None
    return amount
