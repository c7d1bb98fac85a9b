"""Words about a security incident reach nobody before the legal department has agreed to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from notifiers.base import Channel
from statuspage.db import transaction
from statuspage.domain.errors import NotAllowed, RuleError
from statuspage.services import approval, campaign_texts, campaigns, playbook, words
from statuspage.services.actor import CLI
from tests.databases import NOW
from tests.outbox import settings
from tests.services.world import World


def test_messages_about_security_wait_for_legal(world: World, tmp_path: Path) -> None:
    """Neither the author nor whoever has a shell sends them, alone or not; nor do they answer for the words."""
    configured = settings(tmp_path)
    with transaction(world.sessions) as session:
        engineer, legal = world.actor(session, "engineer"), world.person(session, "legal")
        incident = world.declare(session, engineer, "security_suspension")
        template = campaigns.get_message_template(session, "outage")
        campaign = campaigns.draft_campaign(session, engineer, incident, template, channels=list(Channel), now=NOW)
        drafted = campaign_texts.draft(session, campaign)
        with pytest.raises(NotAllowed) as refused:
            approval.request_approval(session, engineer, campaign, settings=configured, now=NOW)
        assert refused.value.code == "campaign.words_not_approved"
        with pytest.raises(NotAllowed) as alone:
            approval.break_glass(session, engineer, campaign, reason="Nobody answers.", settings=configured, now=NOW)
        assert alone.value.code == "campaign.words_not_approved"
        for actor in (engineer, CLI):
            with pytest.raises(NotAllowed):
                words.approve_words(session, actor, incident, drafted.values(), now=NOW)
            with pytest.raises(NotAllowed):
                playbook.tick(session, actor, incident, "security_words", "I say so.", now=NOW)
        words.approve_words(session, legal, incident, drafted.values(), now=NOW)
        with pytest.raises(RuleError) as next_:
            approval.request_approval(session, engineer, campaign, settings=configured, now=NOW)
        assert next_.value.code == "campaign.nobody"
