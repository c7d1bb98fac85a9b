"""What an operator writes to customers: a closed list of placeholders, filled by split and join."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

from notifiers.text import GSM7_BASIC, Encoding, count, encoding_of, normalise, segments_at_most, units_of
from statuspage.domain.errors import RuleError

Escape = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Placeholder:
    """`longest` in UTF-16 units. `plain_in`: the locales in which every value is of GSM-7's basic alphabet."""

    longest: int
    plain_in: frozenset[str] = frozenset()


_EVERY = frozenset({"ru", "zh", "en"})
_ENGLISH = frozenset({"en"})
_MOMENT = Placeholder(30, _ENGLISH)
PLACEHOLDERS: Mapping[str, Placeholder] = MappingProxyType(
    {
        "operator": Placeholder(30),
        "incident": Placeholder(100),
        "services": Placeholder(120),
        "unaffected": Placeholder(120),
        "route": Placeholder(120),
        "since": _MOMENT,
        "until": _MOMENT,
        "next_update": _MOMENT,
        "restored_at": _MOMENT,
        "credited_by": _MOMENT,
        "phone": Placeholder(20, _EVERY),
        "page": Placeholder(100, _EVERY),
        "link": Placeholder(160, _EVERY),
        "code": Placeholder(12, _EVERY),
    }
)
"""Every value is a fact of the incident or of the operator, never of the person: no name, number or balance."""

OF_CONFIRMATIONS = frozenset({"link", "code"})
"""The one's own, which a message to one person has and a campaign to many has not."""

OPTIONAL = frozenset({"unaffected", "route"})
"""Facts that often nobody has. A line of a mail that asks for one without a value is left out: it says nothing then."""

LONGEST_SMS = 918
LONGEST_TEXT = 100_000

_SLOT = re.compile(r"\{(" + "|".join(PLACEHOLDERS) + r")\}")
_BRACES = re.compile(r"\{([^{}]*)\}|[{}]")
# Controls, and marks that turn the direction of writing and so can make a text read as another.
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_NOTHING: Mapping[str, str] = MappingProxyType({})


def placeholders(text: str) -> frozenset[str]:
    """The placeholders of the closed list that stand in the text."""
    return frozenset(_SLOT.findall(text))


def in_order(text: str) -> tuple[str, ...]:
    """Each of them once, in the order in which they stand."""
    return tuple(dict.fromkeys(_SLOT.findall(text)))


def without_unsaid(text: str, values: Mapping[str, str]) -> str:
    """The text without the lines that ask for an `OPTIONAL` value which is not there."""
    lines = text.split("\n")
    return "\n".join(one for one in lines if not OPTIONAL.intersection(missing(one, values)))


def missing(text: str, values: Mapping[str, str]) -> tuple[str, ...]:
    """The placeholders that have no value, or an empty one, in the order in which they stand."""
    return tuple(name for name in in_order(text) if not values.get(name, "").strip())


def fill(text: str, values: Mapping[str, str], escape: Escape) -> str:
    """The text with its values, each escaped for the medium. A value is never read as a placeholder; a brace that is
    not a placeholder's is a brace. Raises RuleError naming what has no value."""
    lacking = missing(text, values)
    if lacking:
        names = ", ".join(f"{{{name}}}" for name in lacking)
        raise RuleError("message.missing_value", f"text: there is no value for {names}.", lacking[0], {"names": names})
    parts = _SLOT.split(text)
    parts[1::2] = [escape(values[name]) for name in parts[1::2]]
    return "".join(parts)


def for_sms(value: str) -> str:
    """One line, composed (NFC): a line break in a value would tear the message apart."""
    return normalise(" ".join(_fit(value).split()))


def for_text(value: str) -> str:
    """As it stands, for a mail's text part; CR LF becomes LF."""
    return _fit(value).replace("\r\n", "\n").replace("\r", "\n")


def for_html(value: str) -> str:
    """Safe between tags and inside a quoted attribute."""
    return html.escape(for_text(value), quote=True)


def for_header(value: str) -> str:
    """For a mail's header; a line break is refused, since nobody writes one into a subject by mistake."""
    _check_header(value, "subject")
    return value


def _check_header(value: str, field: str) -> None:
    if any(character in value for character in "\r\n\x0b\x0c\x85\u2028\u2029"):
        raise RuleError("message.header_break", f"{field}: it holds a line break. Write it on one line.", field)
    _fit(value, field)


def _fit(value: str, field: str = "text") -> str:
    found = _UNFIT.search(value)
    if found is not None:
        raise _invisible(found[0], found.start() + 1, field)
    return value


def _invisible(character: str, position: int, field: str) -> RuleError:
    point = f"U+{ord(character):04X}"
    said = f"{field}: it holds the invisible character {point} at {position}. Delete it."
    return RuleError("message.control_character", said, field, {"point": point, "position": position})


def check_value(name: str, value: str, locale: str) -> None:
    """Refuse a value that would break the promise of `upper_bound_segments`: too long, not plain, or half a letter."""
    placeholder = PLACEHOLDERS[name]
    if unicodedata.combining(value[:1] or " "):
        said = f"{name}: it begins with an accent that has no letter. Delete it."
        raise RuleError("message.loose_mark", said, name, {"variant": "value", "name": f"{{{name}}}"})
    length = units_of(for_sms(value), Encoding.UCS2)
    if length > placeholder.longest:
        said = f"{name}: {length} characters, at most {placeholder.longest}. Shorten it."
        values = {"name": f"{{{name}}}", "length": length, "limit": placeholder.longest}
        raise RuleError("message.value_too_long", said, name, values)
    if locale in placeholder.plain_in and not GSM7_BASIC.issuperset(value):
        said = f"{name}: only letters, digits and signs of plain SMS fit."
        raise RuleError("message.value_not_plain", said, name, {"name": f"{{{name}}}"})


def check_subject(
    text: str,
    field: str = "subject",
    longest: int = LONGEST_TEXT,
    known: Collection[str] = PLACEHOLDERS.keys(),
) -> None:
    """`check_text` for a mail's header: also refuses a line break or a tab, while whoever wrote it still looks."""
    _check_header(text, field)
    tab = text.find("\t")
    if tab >= 0:
        raise _invisible("\t", tab + 1, field)
    check_text(text, field, longest, known)


def check_text(
    text: str, field: str = "text", longest: int = LONGEST_TEXT, known: Collection[str] = PLACEHOLDERS.keys()
) -> None:
    """Refuse a text of an operator before anybody approves it: a placeholder that is none of the `known` ones (named),
    a stray brace, an invisible character, too long."""
    if len(text) > longest:
        said = f"{field}: {len(text)} characters, at most {longest}. Shorten it."
        raise RuleError("message.too_long", said, field, {"length": len(text), "limit": longest})
    _fit(text, field)
    for brace in _BRACES.finditer(text):
        name = brace[1]
        if unicodedata.combining(text[brace.end() : brace.end() + 1] or " "):
            raise RuleError("message.loose_mark", f"{field}: an accent after a brace has no letter. Delete it.", field)
        if name in known:
            continue
        if name is None:
            place = brace.start() + 1
            said = f"{field}: a brace at character {place} belongs to nothing. Delete it."
            raise RuleError("message.stray_brace", said, field, {"position": place, "example": "{until}"})
        raise _unknown(name, field, known)


def _unknown(name: str, field: str, known: Collection[str]) -> RuleError:
    near = [f"{{{one}}}" for one in get_close_matches(name, known, n=1)]
    listed = ", ".join(f"{{{one}}}" for one in known)
    values = {"found": f"{{{name[:40]}}}", **({"variant": "near", "near": near[0]} if near else {"known": listed})}
    hint = f"did you mean {near[0]}?" if near else f"use {listed}"
    said = f"{field}: {values['found']} is not a placeholder; {hint}"
    return RuleError("message.unknown_placeholder", said, field, values)


def absent(texts: Mapping[str, str], fields: Collection[str], locales: Collection[str]) -> tuple[str, ...]:
    """Each "field.locale" that has no text: a message goes out in every language or in none."""
    wanted = (f"{field}.{locale}" for field in fields for locale in locales)
    return tuple(key for key in wanted if not texts.get(key, "").strip())


def upper_bound_segments(text: str, locale: str, known: Mapping[str, str] = _NOTHING) -> int:
    """Segments that no filling of the text exceeds. Exact when all values are `known`; other values count at their full
    length and, where they need not be plain, in UCS-2. Holds for values that `check_value` accepts."""
    parts = _SLOT.split(text)
    names = [name for name in parts[1::2] if name not in known]
    parts[1::2] = [for_sms(known[name]) if name in known else "" for name in parts[1::2]]
    literal = normalise("".join(parts))
    if not names:
        return count(literal).segments
    open_length = sum(PLACEHOLDERS[name].longest for name in names)
    # Composition across a border can only shorten; counted apart, the parts are never fewer units than joined.
    pieces = sum(units_of(normalise(part), Encoding.UCS2) for part in parts)
    bound = segments_at_most(pieces + open_length, Encoding.UCS2)
    if encoding_of(literal) is Encoding.UCS2:
        return bound
    septets = segments_at_most(units_of(literal, Encoding.GSM7) + open_length, Encoding.GSM7)
    if all(locale in PLACEHOLDERS[name].plain_in for name in names):
        return septets
    return max(bound, septets)


_LOOK_ALIKES = str.maketrans(
    {
        **dict.fromkeys("«»“”„‟″", '"'),
        **dict.fromkeys("‘’‚‛′`´", "'"),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("\u00a0\u2007\u2009\u200a\u202f\u3000\t", " "),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", ""),
        "…": "...",
        "№": "No.",
        "•": "-",
    }
)


def plainer(text: str) -> str:
    """The text with typographic characters replaced by plain ones: an offer, worth a segment or two in English."""
    return normalise(text.translate(_LOOK_ALIKES))


_LINK = re.compile(
    r"(?:https?://|www\.)\S+|\b(?:[a-z0-9-]+\.)+(?:com|net|org|ru|cn|kz|info|io|ly|me|link|рф)\b\S*", re.IGNORECASE
)
_SCHEME = re.compile(r"^https?://", re.IGNORECASE)
_EMOJI = re.compile("[\u2600-\u27bf\u2b00-\u2bff\u200d\ufe0f\U0001f000-\U0001faff]").search


def sms_problems(text: str, own_domains: Collection[str] = ()) -> tuple[str, ...]:
    """What an SMS about an outage must not hold, as keys of the catalogues: links (where the operator allows its own
    domains: any other, one without https, or one with a query, which can carry a token) and emoji. Scams follow within
    a day, and "we send no links" is only believed if it is true."""
    found: dict[str, None] = {}
    for link in _LINK.findall(text):
        bare = link.rstrip(".,;:!?)")
        host = re.split(r"[/?#:]", _SCHEME.sub("", bare), maxsplit=1)[0].lower()
        if not any(host == domain or host.endswith("." + domain) for domain in own_domains):
            found["sms.foreign_link" if own_domains else "sms.link"] = None
        elif not bare.startswith("https://"):
            found["sms.link_without_https"] = None
        elif "?" in bare or "#" in bare:
            found["sms.link_with_query"] = None
    if _EMOJI(text):
        found["sms.emoji"] = None
    return tuple(found)
