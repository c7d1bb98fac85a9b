"""Every word of the sign-up's pages and mail, in a golden file for each language."""

from __future__ import annotations

import pytest

from notifiers.base import Channel
from statuspage.config import Settings
from statuspage.i18n import KNOWN_LOCALES
from statuspage.publish.signup_pages import SignupPages
from statuspage.services import signup
from statuspage.services.signup import Signup
from tests.databases import NOW
from tests.publish import golden


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_words_of_the_pages(settings: Settings, locale: str) -> None:
    """The form, what follows it, managing, stopping, and the pages for bad days."""
    pages = SignupPages(settings, NOW)

    def person(state: str) -> Signup:
        return Signup("abc", signup.masked("anna@example.org"), locale, state, NOW)

    shown: list[tuple[str, dict[str, object]]] = [
        ("form", {"given": "", "wrong": False, "privacy_url": "https://example.org/privacy"}),
        ("form", {"given": "anna", "wrong": True, "privacy_url": ""}),
        ("confirm", {"signup": person("pending")}),
        ("confirmed", {"signup": person("active"), "manage_url": "http://localhost/manage"}),
    ]
    shown += [("manage", {"signup": person(state), "saved": False}) for state in ("active", "pending", "ended")]
    shown += [("unsubscribe", {"channel": channel.value}) for channel in Channel]
    shown += [(name, {}) for name in ("sent", "too_many", "unsubscribed", "gone", "dead")]
    said = [f"[{name}]\n{golden.visible(pages.render(locale, name, None, facts))}" for name, facts in shown]
    golden.matches(f"signup.{locale}", "\n\n".join(said))


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_words_of_the_mail(settings: Settings, locale: str) -> None:
    """The mail that asks to confirm; its link is put in as it goes out."""
    wording = signup.wording(settings)
    assert wording["mail"][locale].count("{link}") == 1
    golden.matches(f"confirm.{locale}", f"{wording['subject'][locale]}\n\n{wording['mail'][locale]}")
