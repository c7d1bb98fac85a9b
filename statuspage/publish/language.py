"""One language's way of saying: the catalogue's texts, people's words and points of time, whatever they are about."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from statuspage import i18n
from statuspage.publish.prose import prose
from statuspage.publish.view import PageView, Text, Words


class Language:
    """Knows of the view what every sentence needs: the operator, and when the page was made.

    `kept` is for words that are read on later days too: there every time carries its day, also that of `today`.
    """

    def __init__(self, view: PageView, locale: str, *, kept: bool = False) -> None:
        self.view = view
        self.today = None if kept else view.as_of
        self.locale = locale
        self.tag = i18n.LANGUAGE_TAGS[locale]
        self.moments = i18n.Moments(locale, ZoneInfo(view.operator.time_zone), view.as_of)

    def t(self, key: str, **values: object) -> Markup:
        """A text of the page's catalogue as HTML: values are escaped unless they are markup already."""
        text = i18n.template(self.locale, f"page.{key}", values.get("n"))
        filled = i18n.fill(str(escape(text)), {name: str(escape(value)) for name, value in values.items()})
        return Markup(filled)  # noqa: S704 -- the text and every value went through escape()

    def plain(self, key: str, **values: object) -> str:
        return i18n.gettext(self.locale, f"page.{key}", **values)

    def link(self, path: str) -> str:
        return f"/{self.locale}{path}"

    def absolute(self, path: str) -> str:
        return f"{self.view.operator.base_url.rstrip('/')}{path}"

    # People's words

    def say(self, words: Words) -> str:
        return words[self.locale].body

    def names(self, words: tuple[Words, ...], proper: bool = False) -> str:
        """A list that opens a sentence: after the first name only proper names keep their capital letter."""
        said = [self.say(one) for one in words]
        return self.separator.join(said) if proper else i18n.listed(self.locale, said, opening=True)

    @property
    def gap(self) -> str:
        """What stands between two sentences: nothing in Chinese."""
        return i18n.gettext(self.locale, "text.separator")

    @property
    def separator(self) -> str:
        return i18n.gettext(self.locale, "moments.list_separator")

    def pending(self, text: Text) -> str | None:
        """What to say beside an original that stands in for a missing or outdated translation."""
        if text.locale == self.locale:
            return None
        return self.plain("translation.missing", language=self.plain(f"translation.{text.locale}"))

    def prose(self, text: Text) -> Markup:
        return prose(text.body)

    @staticmethod
    def tag_of(locale: str) -> str:
        return i18n.LANGUAGE_TAGS[locale]

    @staticmethod
    def language(locale: str) -> str:
        return i18n.LANGUAGE_NAMES[locale]

    def phone(self) -> Markup:
        """The support number as a link that dials; short service numbers stay as they are."""
        number = self.view.operator.support_phone or ""
        return Markup('<a href="tel:{}">{}</a>').format(
            "".join(sign for sign in number if sign in "+*#0123456789"), number
        )

    # Times

    def time(self, at: datetime, said: str | None = None) -> Markup:
        """A point of time for eyes and machines: `said`, or day, time and zone."""
        text = self.moments.moment(at) if said is None else said
        return Markup('<time datetime="{}">{}</time>').format(self.moments.iso(at), text)

    def exact(self, at: datetime) -> Markup:
        return Markup('<time id="as-of" datetime="{}">{}</time>').format(self.moments.iso(at), self.moments.exact(at))

    def clock(self) -> Markup:
        """Where the page's small script, if it runs, writes the time of the reader's own clock."""
        return self.t("foot.your_clock", clock=Markup('<span id="clock"></span>'))

    def until(self, end: datetime) -> Markup:
        return self.time(end, self.moments.zoned(self.moments.until(end), end))

    def by(self, end: datetime, beside: datetime | None = None) -> Markup:
        """A deadline with its zone, its day left out when it is the day of `beside`."""
        return self.time(end, self.moments.zoned(self.moments.by(end, beside), end))
