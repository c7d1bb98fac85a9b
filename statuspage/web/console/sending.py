"""The course of a campaign: preview, approval by a second person, start, pause, resume, cancel."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, abort, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from statuspage.domain.campaign import EDITABLE, CampaignState
from statuspage.domain.errors import RuleError
from statuspage.domain.roles import Permission
from statuspage.models import Campaign, Incident
from statuspage.services import approval, campaign_course, campaign_texts, campaigns, quiet_hours, words
from statuspage.services import preview as previews
from statuspage.web import shell
from statuspage.web.access import access, actor
from statuspage.web.console import gaps, samples
from statuspage.web.console.acting import Outcome, act
from statuspage.web.console.campaigns import page, still_broken
from statuspage.web.forms import fields
from statuspage.web.wiring import now, wiring

LETTER_CSP = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"
"""A mail has its styles in its tags; everything else in it stays dead."""

blueprint = Blueprint("sending", __name__, url_prefix="/console/campaigns/<public_id>")


@blueprint.get("/preview")
@access(Permission.INCIDENT_VIEW)
def preview(public_id: str) -> ResponseReturnValue:
    return _preview(public_id, None)


def _preview(public_id: str, error: RuleError | None) -> str:
    """Counted exactly, so a million people take some seconds; nothing is written.

    Of a campaign whose people are counted already it says whom it would tell if it were asked for anew.
    """
    settings = wiring().settings
    with wiring().reading() as session:
        campaign = campaigns.get_campaign(session, public_id)
        found = previews.preview(session, campaign, settings, now=now(), anew=True)
        others = still_broken(session, campaign)
        drafted = campaign_texts.draft(session, campaign)
        words_wait = campaign.state in EDITABLE and words.message_waits(session, campaign.incident_id, drafted.values())
    editable = campaign.state in EDITABLE
    return shell.render(
        "console/campaigns/preview.html",
        error=error,
        campaign=campaign,
        preview=found,
        earlier=found.earlier,
        still_broken=others,
        words_wait=words_wait,
        missing=gaps.gathered(found.texts.missing),
        samples=samples.samples(found.texts.bodies, settings),
        editable=editable,
        counted=editable and campaign.counted_at is not None,
    )


@blueprint.get("/letter/<tongue>")
@access(Permission.INCIDENT_VIEW)
def letter(public_id: str, tongue: str) -> ResponseReturnValue:
    """The mail's HTML part for the frame of the preview, with nothing in it allowed to run or to load."""
    with wiring().reading() as session:
        campaign = campaigns.get_campaign(session, public_id)
        if campaign.content_hash is not None and request.args.get("drafted") is None:
            bodies = campaign_texts.frozen(session, campaign)
        else:
            bodies = campaign_texts.fill(session, campaign, wiring().settings, now=now()).bodies
    found = samples.mail_of(bodies, tongue, wiring().settings)
    if found is None:
        abort(404)
    return found.html, {"Content-Security-Policy": LETTER_CSP, "X-Frame-Options": "SAMEORIGIN"}


@blueprint.post("/request-approval")
@access(Permission.CAMPAIGN_EDIT)
def request_approval(public_id: str) -> ResponseReturnValue:
    """Freezes texts, audience and cost ceiling; where no second person is needed it is approved at once."""

    def ask(session: Session, campaign: Campaign) -> CampaignState:
        approval.request_approval(session, actor(), campaign, settings=wiring().settings, now=now())
        return campaign.state

    return _change(public_id, "request", ask, done=lambda state: f"campaign.done_{state}")


@blueprint.post("/approve")
@access(Permission.CAMPAIGN_APPROVE)
def approve(public_id: str) -> ResponseReturnValue:
    """Agrees to exactly what the page showed: its hash comes back with the form."""
    seen = request.form.get("seen_hash", "")[:64]
    return _change(public_id, "approve", lambda db, one: approval.approve(db, actor(), one, seen_hash=seen, now=now()))


@blueprint.post("/words-approval")
@access(Permission.WORDS_APPROVE)
def approve_words(public_id: str) -> ResponseReturnValue:
    """A person with words:approve agrees to the drafted texts about a security incident, as he read them."""
    read = request.form.get("read", "")[:64]

    def agree(session: Session, campaign: Campaign) -> None:
        incident = session.get_one(Incident, campaign.incident_id)
        drafted = campaign_texts.draft(session, campaign)
        words.approve_words(session, actor(), incident, drafted.values(), read=read, now=now())

    return _change(public_id, "words", agree)


@blueprint.post("/override-quiet")
@access(Permission.CAMPAIGN_APPROVE)
def override_quiet(public_id: str) -> ResponseReturnValue:
    """This person answers for waking people; whoever approves agrees to that too."""
    return _change(public_id, "override_quiet", lambda db, one: quiet_hours.override(db, actor(), one, now=now()))


@blueprint.post("/break-glass")
@access(Permission.CAMPAIGN_BREAK_GLASS)
def break_glass(public_id: str) -> ResponseReturnValue:
    form = fields()
    reason = form.text("reason", limit=2000)

    def alone(session: Session, campaign: Campaign) -> None:
        form.check()
        approval.break_glass(session, actor(), campaign, reason=reason, settings=wiring().settings, now=now())

    return _change(public_id, "break_glass", alone, _preview)


@blueprint.post("/schedule")
@access(Permission.CAMPAIGN_SEND)
def schedule(public_id: str) -> ResponseReturnValue:
    form = fields()
    at = form.moment("at", required=True)

    def later(session: Session, campaign: Campaign) -> None:
        form.check()
        campaign_course.schedule_campaign(session, actor(), campaign, at or now(), now=now())

    return _change(public_id, "schedule", later)


@blueprint.post("/start")
@access(Permission.CAMPAIGN_SEND)
def start(public_id: str) -> ResponseReturnValue:
    return _change(public_id, "start", lambda db, one: campaign_course.start_campaign(db, actor(), one, now=now()))


@blueprint.post("/pause")
@access(Permission.CAMPAIGN_SEND)
def pause(public_id: str) -> ResponseReturnValue:
    return _change(public_id, "pause", lambda db, one: campaign_course.pause_campaign(db, actor(), one, now=now()))


@blueprint.post("/resume")
@access(Permission.CAMPAIGN_SEND)
def resume(public_id: str) -> ResponseReturnValue:
    return _change(public_id, "resume", lambda db, one: campaign_course.resume_campaign(db, actor(), one, now=now()))


@blueprint.post("/cancel")
@access(Permission.CAMPAIGN_SEND)
def cancel(public_id: str) -> ResponseReturnValue:
    return _change(public_id, "cancel", lambda db, one: campaign_course.cancel_campaign(db, actor(), one, now=now()))


def _change(
    public_id: str,
    what: str,
    verb: Callable[[Session, Campaign], object],
    refused: Callable[[str, RuleError | None], str] = page,
    *,
    done: Outcome | None = None,
) -> ResponseReturnValue:
    return act(
        f"campaign.{what}.{public_id}",
        lambda session: verb(session, campaigns.get_campaign(session, public_id)),
        done=done or f"campaign.done_{what}",
        onward=url_for("campaigns.show", public_id=public_id),
        page=lambda error: refused(public_id, error),
    )
