from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from notifiers.text import count, normalise
from statuspage.domain.errors import RuleError
from statuspage.domain.message import (
    PLACEHOLDERS,
    absent,
    check_subject,
    check_text,
    check_value,
    fill,
    for_header,
    for_html,
    for_sms,
    for_text,
    missing,
    placeholders,
    plainer,
    sms_problems,
    upper_bound_segments,
    without_unsaid,
)

FIRST_RU = (
    "Оператор: с {since} не работают оплата и баланс. Связь не отключим до {until}. "
    "Не платите дважды: деньги зачислим. Справка {phone}"
)
alphabet = st.sampled_from("abcXYZ 0123456789.,:{}$€^~[]éÜ@\nабвЯё№ 充值日…’😀👍ị\u0323\u0301")
pieces = st.sampled_from([f"{{{name}}}" for name in PLACEHOLDERS]) | st.text(alphabet, max_size=80)
templates = st.lists(pieces, max_size=8).map("".join)
raw_values = st.text(alphabet, min_size=1, max_size=160)


def sound(text: str) -> bool:
    try:
        check_text(text)
    except RuleError:
        return False
    return True


@given(templates, st.sampled_from(["ru", "zh", "en"]), st.data())
def test_no_filling_needs_more_segments_than_promised(text: str, locale: str, data: st.DataObject) -> None:
    """The upper bound holds for every filling with values that were accepted, some known beforehand and some not."""
    assume(sound(text))
    values: dict[str, str] = {}
    for name in placeholders(text):
        longest = PLACEHOLDERS[name].longest
        plain = locale in PLACEHOLDERS[name].plain_in
        letters = st.sampled_from("0123456789:. MSKabc") if plain else alphabet
        value = data.draw(st.text(letters, min_size=1, max_size=longest))
        try:
            check_value(name, value, locale)
        except RuleError:
            value = "0"
        values[name] = value if value.strip() else "0"
    filled = normalise(fill(text, values, for_sms))
    segments = count(filled).segments
    assert segments <= upper_bound_segments(text, locale)
    some = {name: value for name, value in values.items() if data.draw(st.booleans())}
    assert segments <= upper_bound_segments(text, locale, some)
    assert upper_bound_segments(text, locale, values) == segments


def test_the_bound_of_real_texts() -> None:
    """Known values give the exact count; unknown moments cost at most what the longest moment costs."""
    known = {"since": "10:20", "until": "24:00 25.11", "phone": "0500"}
    assert upper_bound_segments(FIRST_RU, "ru", known) == 2
    assert upper_bound_segments(FIRST_RU, "ru") == 3
    english = "{operator}: top-up works again since {restored_at}. No suspension until {until}. Info {phone}"
    assert upper_bound_segments(english, "en", {"operator": "OPERATOR"}) == 1
    assert upper_bound_segments(english, "en", {"operator": "Оператор"}) == 3


@given(st.dictionaries(st.sampled_from(list(PLACEHOLDERS)), raw_values, min_size=1), templates)
def test_values_are_never_read_as_placeholders(values: dict[str, str], text: str) -> None:
    """Filling equals cutting the text at its placeholders and laying the values between: nothing is read twice."""
    full = {name: "{until}{{7*7}}" + values.get(name, "") for name in PLACEHOLDERS}
    expected, rest = "", text
    while rest:
        name = next((name for name in PLACEHOLDERS if rest.startswith(f"{{{name}}}")), None)
        expected += rest[0] if name is None else full[name]
        rest = rest[1:] if name is None else rest[len(name) + 2 :]
    assert fill(text, full, str) == expected


@pytest.mark.parametrize(
    "text",
    ["{{7*7}}", "{0.__class__}", "{since!r}", "{since:>9999999}", "{% for x in y %}", "%(since)s", "${since!s}"],
)
def test_injections_are_inert_and_refused_in_templates(text: str) -> None:
    """Nothing but a placeholder of the list is ever replaced; what looks like one is refused when the text is saved."""
    values = dict.fromkeys(PLACEHOLDERS, "VALUE")
    assert fill(text, values, for_sms) == text
    if "{" in text:
        with pytest.raises(RuleError):
            check_text(text)
    assert fill("{incident}", {"incident": text}, for_sms) == text


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("until {untl}", "message.unknown_placeholder", "did you mean {until}?"),
        ("{ until }", "message.unknown_placeholder", "{ until }"),
        ("{name}, pay", "message.unknown_placeholder", "{name}"),
        ("a } b", "message.stray_brace", "character 3"),
        ("a {", "message.stray_brace", "character 3"),
        ("a\x00b", "message.control_character", "U+0000"),
        ("pay \u202eevil", "message.control_character", "U+202E"),
        ("{until}\u0301", "message.loose_mark", "accent"),
        ("x" * 100_001, "message.too_long", "100000"),
    ],
)
def test_a_wrong_text_is_refused_before_anybody_approves_it(text: str, code: str, says: str) -> None:
    """The refusal names what is wrong and where; 100,000 characters are accepted, one more is not."""
    check_text("x" * 100_000)
    with pytest.raises(RuleError) as refused:
        check_text(text, "sms.ru")
    assert refused.value.code == code
    assert refused.value.field == "sms.ru"
    assert says in refused.value.message


def test_a_missing_value_is_named() -> None:
    """A placeholder without a value, or with an empty one, stops the filling and is named."""
    assert missing(FIRST_RU, {"since": "10:20", "until": " "}) == ("until", "phone")
    with pytest.raises(RuleError) as refused:
        fill(FIRST_RU, {"since": "10:20", "until": "24:00"}, for_sms)
    assert refused.value.code == "message.missing_value"
    assert refused.value.field == "phone"
    assert "{phone}" in refused.value.message


@given(st.text(max_size=60))
def test_html_values_stay_text(value: str) -> None:
    """A value between tags or in an attribute comes back as the same text, and opens no tag."""
    try:
        escaped = for_html(value)
    except RuleError:
        return

    class Reader(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.tags: list[str] = []
            self.text = ""
            self.title: str | None = None

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.tags.append(tag)
            self.title = dict(attrs).get("title")

        def handle_data(self, data: str) -> None:
            self.text += data

    reader = Reader()
    reader.feed(f'<p title="{escaped}">{escaped}</p>')
    reader.close()
    assert reader.tags == ["p"]
    assert reader.text == for_text(value)


@pytest.mark.parametrize("value", ["a\r\nBcc: x@example.com", "a\nb", "a\rb", "a\x0bb", "a\u2028b", "a\x85b"])
def test_a_header_holds_no_line_break(value: str) -> None:
    """A line break in a subject is refused, never folded into a header of its own."""
    with pytest.raises(RuleError) as refused:
        for_header(value)
    assert refused.value.code == "message.header_break"
    assert for_header("Top-up is down — 充值") == "Top-up is down — 充值"


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("a\r\nBcc: x@example.com", "message.header_break", "it holds a line break. Write it on one line."),
        ("a\nb", "message.header_break", "line break"),
        ("a\u2028b", "message.header_break", "line break"),
        ("a\tb", "message.control_character", "U+0009 at 2. Delete it."),
        ("a\x00b", "message.control_character", "U+0000"),
        ("{name}", "message.unknown_placeholder", "{name}"),
    ],
)
def test_a_subject_is_refused_when_it_is_written(text: str, code: str, says: str) -> None:
    """What no header can hold is named with its field before it is kept, besides all that no text may hold."""
    with pytest.raises(RuleError) as refused:
        check_subject(text, "subject.ru")
    assert (refused.value.code, refused.value.field) == (code, "subject.ru")
    assert says in refused.value.message
    check_subject("Оплата: {since}", "subject.ru")


def test_an_sms_value_is_one_composed_line() -> None:
    """Line breaks and doubled spaces become one space, an accent joins its letter; NUL is refused."""
    assert for_sms(" a\r\n b\tc  e\u0301 ") == "a b c é"
    assert for_text("a\r\nb\rc") == "a\nb\nc"
    with pytest.raises(RuleError):
        for_sms("a\x00")


@pytest.mark.parametrize(
    ("name", "value", "locale", "code"),
    [
        ("operator", "x" * 31, "en", "message.value_too_long"),
        ("incident", "😀" * 51, "ru", "message.value_too_long"),
        ("until", "25.11 24:00 МСК", "en", "message.value_not_plain"),
        ("phone", "0500€", "ru", "message.value_not_plain"),
        ("incident", "\u0301a", "ru", "message.loose_mark"),
    ],
)
def test_values_that_would_break_the_bound(name: str, value: str, locale: str, code: str) -> None:
    """Values longer than counted, or not plain where they are counted as plain, are refused by name."""
    check_value("until", "24:00 25.11 МСК", "ru")
    with pytest.raises(RuleError) as refused:
        check_value(name, value, locale)
    assert (refused.value.code, refused.value.field) == (code, name)


def test_a_message_is_in_every_language_or_in_none() -> None:
    """Each field without a text in a language is listed."""
    texts = {"sms.ru": "а", "sms.en": " ", "subject.ru": "б", "subject.en": "b"}
    assert absent(texts, ("sms", "subject"), ("ru", "en", "zh")) == ("sms.en", "sms.zh", "subject.zh")


def test_plainer_saves_segments() -> None:
    """Typographic characters become plain ones, and an English text fits GSM-7 again."""
    text = "It’s “ok” – until\u00a024:00…"
    assert plainer(text) == 'It\'s "ok" - until 24:00...'
    assert count(plainer(text)).encoding == "gsm7"


@pytest.mark.parametrize(
    ("text", "own", "problems"),
    [
        ("Связь не отключим до 24:00 25.11. Справка 0500", (), ()),
        ("Top-up is down, see https://status.example.com", (), ("sms.link",)),
        ("see status.example.com now", ("example.com",), ("sms.link_without_https",)),
        ("see https://status.example.com/x.", ("example.com",), ()),
        ("see http://status.example.com", ("example.com",), ("sms.link_without_https",)),
        ("see https://status.example.com/?t=1", ("example.com",), ("sms.link_with_query",)),
        ("see https://example.com.evil.ru/", ("example.com",), ("sms.foreign_link",)),
        ("bit.ly/abc", ("example.com",), ("sms.foreign_link",)),
        ("Works again 🎉", (), ("sms.emoji",)),
        ("№ 5, 充值已恢复", (), ()),
    ],
)
def test_no_links_and_no_emoji(text: str, own: tuple[str, ...], problems: tuple[str, ...]) -> None:
    """Links are named by what is wrong with them; times, dates and numbers are not links."""
    assert sms_problems(text, own) == problems


def test_a_line_that_nobody_can_fill_says_nothing() -> None:
    """A line that asks for an optional fact nobody has goes; one that asks for a needed fact stays to be seen."""
    text = "a\n- {route};\n- {unaffected}, {until};\n- {until}\nb"
    assert without_unsaid(text, {"route": "Bank app"}) == "a\n- {route};\n- {until}\nb"
    assert without_unsaid(text, {"unaffected": "calls", "route": " "}) == "a\n- {unaffected}, {until};\n- {until}\nb"
    assert missing(without_unsaid(text, {}), {}) == ("until",)
