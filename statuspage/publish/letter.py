"""A mail of a campaign: made once a language, the recipient's own link left open; a confirmation is made for each."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup

from notifiers.base import UNSUBSCRIBE_SLOT
from statuspage import i18n
from statuspage.publish.bare_links import ADDRESS
from statuspage.publish.html import environment
from statuspage.publish.prose import prose

_STRONG = re.compile(rf"{ADDRESS}|\*\*(?=\S)([^*\n]+?)(?<=\S)\*\*")

LINK_SLOT = "{link}"
"""Where a confirmation's own address goes; the only placeholder that is still open when a text goes out."""


@dataclass(frozen=True)
class Letter:
    """`text` and `html` hold `UNSUBSCRIBE_SLOT` where the notifier puts the recipient's link."""

    subject: str
    text: str
    html: str


def notice(locale: str, subject: str, mail: str, operator: str) -> Letter:
    """`mail` is Markdown as its author wrote it, filled. The text part is without the marks of emphasis; in HTML every
    address can be followed."""
    footer = i18n.gettext(locale, "mail.footer", operator=operator, unsubscribe_url=UNSUBSCRIBE_SLOT)
    html = _html(
        locale,
        subject,
        prose(mail),
        operator,
        stop=i18n.gettext(locale, "mail.stop"),
        why=i18n.gettext(locale, "mail.why", operator=operator),
    )
    return Letter(subject, f"{_plain(mail).rstrip()}\n\n-- \n{footer}\n", html)


def _plain(mail: str) -> str:
    return _STRONG.sub(lambda found: found[1] or found[0], mail)


def confirmation(locale: str, subject: str, mail: str, operator: str, link: str) -> Letter:
    """Nothing to unsubscribe from yet; `link` is put in by split and join, never read as a text of its own."""
    text = link.join(mail.split(LINK_SLOT))
    shown = f"<{link}>".join(mail.split(LINK_SLOT))
    return Letter(subject, text, _html(locale, subject, prose(shown), operator, stop=None, why=None))


def _html(locale: str, subject: str, body: Markup, operator: str, *, stop: str | None, why: str | None) -> str:
    template = environment().get_template("mail/notice/body.html")
    return template.render(
        tag=i18n.LANGUAGE_TAGS[locale],
        subject=subject,
        prose=body,
        operator=operator,
        stop=stop,
        why=why,
        link=UNSUBSCRIBE_SLOT,
    )
