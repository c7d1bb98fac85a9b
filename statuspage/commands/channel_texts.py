"""The page's news in short, channel by channel and language by language."""

from __future__ import annotations

from statuspage.publish.site import Site

SHORT = ("sms", "ussd", "ivr", "shop")


def channel_texts(site: Site, channel: str | None, locale: str | None) -> list[dict[str, str]]:
    """The texts of `channel` in `locale`, of all where None is given; exactly the bytes that the page serves."""
    return [
        {"channel": one, "locale": tongue, "text": site.artifacts[f"/text/{one}.{tongue}.txt"].body.decode()}
        for one in SHORT
        if channel in (None, one)
        for tongue in site.view.operator.locales
        if locale in (None, tongue)
    ]
