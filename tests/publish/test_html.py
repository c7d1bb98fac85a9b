from __future__ import annotations

import base64
import gzip
import hashlib
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from statuspage.colour import DARK_GROUND, LIGHT_GROUND, contrast
from statuspage.domain.component import ComponentState
from statuspage.domain.route import RouteKind, RouteState
from statuspage.i18n import KNOWN_LOCALES
from statuspage.publish.html import STATIC, content_security_policy, page
from statuspage.publish.prose import prose
from statuspage.publish.reader import Reader
from statuspage.publish.view import Text, Words
from tests.publish import golden, views

NASTY = (
    "<script>alert(1)</script> {{7*7}} {0.__class__} <img src=x onerror=alert(1)> [x](javascript:alert(1)) "
    "![p](https://evil.example/p.png) 😀 \u202e"
)


def status(view: object = views.OUTAGE, locale: str = "en") -> str:
    assert isinstance(view, type(views.OUTAGE))
    return page(Reader(view, locale), "status", "/").decode()


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_a_cold_visit_is_one_small_request(locale: str) -> None:
    """The front page asks for nothing else and stays below 15 kB on the wire."""
    html = status(locale=locale)
    assert len(gzip.compress(html.encode())) < 15_000
    assert not re.findall(r'<(?:img|iframe|object|embed)\b|<script[^>]+src|rel="stylesheet"|@import|url\(', html)


def test_the_policy_allows_exactly_what_is_inside_the_page() -> None:
    """Style and script are allowed by the hash of what stands in the page, and no attribute carries either."""
    html = status()
    policy = content_security_policy(views.OPERATOR.colours)
    for tag in ("style", "script"):
        found = re.findall(rf"<{tag}>(.*?)</{tag}>", html, flags=re.DOTALL)
        assert len(found) == 1
        digest = base64.b64encode(hashlib.sha256(found[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not re.search(r"\sstyle=|\son[a-z]+=", re.sub(r"<(style|script)>.*?</\1>", "", html, flags=re.DOTALL))
    assert "unsafe" not in policy


def test_the_promise_comes_right_after_the_sentence() -> None:
    """The order is the sentence, since when, the promise, how to pay, what works, what we do."""
    said = golden.visible(status().encode())
    order = ["Top-up and balance are down\nonly", "No suspension", "Pay now", "Not affected", "What we are doing"]
    assert [said.index(part) for part in order] == sorted(said.index(part) for part in order)


@pytest.mark.parametrize("template", ["status", "incident", "pay", "history"])
def test_what_a_person_wrote_cannot_script_or_template_the_page(template: str) -> None:
    """HTML, Jinja, str.format and Markdown pictures in titles, names and bodies are text."""
    words = Words({locale: Text(NASTY, locale) for locale in KNOWN_LOCALES})
    update = replace(views.UPDATES[0], body=words)
    incident = replace(views.INCIDENT, title=words, updates=(update,), not_affected=(words,), regions=(words,))
    route = replace(views.ROUTES[0], name=words, how_to=words, credit=words, state=RouteState.WORKS)
    view = replace(views.OUTAGE, incidents=(incident,), routes=(route,))
    html = page(Reader(view, "en"), template, "/", incident).decode()
    body = re.sub(r"<(style|script)>.*?</\1>", "", html, count=2, flags=re.DOTALL)
    assert "<script" not in body
    assert "<img" not in body
    assert 'href="javascript' not in body
    assert "{{7*7}}" in body


def test_markdown_of_people_keeps_lists_and_links_and_nothing_that_breaks_the_order() -> None:
    """Lists, emphasis and links survive; pictures and raw HTML stay text, and no heading is one of the page's."""
    html = prose("# Head\n\n- one\n- **two**\n\n[news](https://example.com/) <b>x</b>")
    assert "<li>one</li>" in html
    assert "<strong>two</strong>" in html
    assert 'href="https://example.com/" rel="nofollow noopener noreferrer"' in html
    assert "<h3>Head</h3>" in html
    assert "<h1" not in html
    assert "&lt;b&gt;" in html


@pytest.mark.parametrize("target", ["//evil.example/x", "javascript:alert(1)", "data:text/html,x"])
def test_a_link_that_hides_where_it_leads_is_none(target: str) -> None:
    """A link leads to a page of ours or names its scheme and host."""
    assert "href" not in prose(f"[news]({target})")
    assert 'href="/ru/pay"' in prose("[pay](/ru/pay)")


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("# A\n## B\n### C", "<h3>A</h3>\n<h4>B</h4>\n<h5>C</h5>"),
        ("## What happened\n#### Why", "<h3>What happened</h3>\n<h5>Why</h5>"),
        ("###### Deep\n# High", "<h6>Deep</h6>\n<h3>High</h3>"),
        ("#", ""),
        ("#100 is no heading", "<p>#100 is no heading</p>"),
        ("A sentence.\n---\nAnother.", "<p>A sentence.</p>\n<hr>\n<p>Another.</p>"),
        ("```\nx < y\n```", "<pre><code>x &lt; y\n</code></pre>"),
    ],
)
def test_a_reviews_headings_stand_below_those_of_the_page(text: str, made: str) -> None:
    """Whatever level its author began with, the highest becomes the third; one without words is left out."""
    assert prose(text) == made


def test_a_table_of_people_scrolls_by_itself_and_keeps_its_columns_of_figures() -> None:
    """A wide table never widens the page of a phone; who has no mouse can reach it; raw HTML in it stays text."""
    html = prose("| Step | Minutes |\n|---|--:|\n| <b>Alarm</b> | 4 |\n")
    assert html.startswith('<div class="wide" tabindex="0">\n<table>')
    assert html.endswith("</table>\n</div>")
    assert '<th class="right">Minutes</th>' in html
    assert '<td class="right">4</td>' in html
    assert "&lt;b&gt;Alarm" in html
    assert "style" not in html


@pytest.mark.parametrize("code", ["*100#", "*122*1#", "*105*code#", "*135*сумма#", "*111*7*8#"])
def test_a_dial_code_is_printed_as_it_is_dialled(code: str) -> None:
    """Markdown takes no asterisk out of a code, and emphasis beside it still works."""
    html = prose(f"Dial {code} or **{code}** and *wait*.")
    assert html == f"<p>Dial {code} or <strong>{code}</strong> and <em>wait</em>.</p>"


def test_a_very_long_text_is_shown_whole_and_quickly() -> None:
    """100,000 characters of the worst Markdown neither fail nor lose a word."""
    text = "*" * 50_000 + " end"
    assert prose(text).rstrip().endswith("end</p>")


def test_a_text_in_another_language_says_so_and_is_marked_for_screen_readers() -> None:
    """An untranslated update is shown in its own language, with its lang and a label."""
    html = status()
    assert '<div class="prose" lang="ru"><p>Продолжаем искать причину.' in html
    assert "shown in Russian: translation pending" in html


def test_a_headline_without_a_translation_is_made_from_component_names() -> None:
    """A reader of English gets an English sentence although nobody has translated the title yet."""
    incident = replace(views.INCIDENT, title=views.only_russian("Не работает оплата"))
    assert "Not working: top-up, balance" in status(replace(views.OUTAGE, incidents=(incident,)))


def test_of_two_equal_incidents_the_one_that_concerns_everybody_stands_on_top() -> None:
    """A later outage for terminals alone does not push the outage for all off the headline."""
    later = replace(
        views.INCIDENT,
        id="b22bbbbbbbbb",
        title=views.words("Нет трафика", "流量未到账", "Terminals get no data"),
        started_at=views.BEGAN + timedelta(hours=1),
        segments=(views.TERMINALS,),
        regions=(),
    )
    everybody = replace(views.INCIDENT, regions=())
    view = replace(views.OUTAGE, incidents=(later, everybody))
    assert [one.id for one in view.open_incidents()] == [everybody.id, later.id]
    assert "<span>Top-up and balance are down</span>" in status(view)


def test_what_fails_by_now_is_no_longer_said_to_work() -> None:
    """A service ticked in one incident and down in another leaves the list of what is not affected."""
    calls = replace(views.COMPONENTS[3], state=ComponentState.MAJOR_OUTAGE)
    view = replace(views.OUTAGE, components=(*views.COMPONENTS[:3], calls, views.COMPONENTS[4]))
    for name in ("status", "incident"):
        html = golden.visible(page(Reader(view, "en"), name, "/", views.INCIDENT))
        assert "Not affected\nMobile data\nSMS\n" in html


def test_a_failing_component_without_an_incident_is_said() -> None:
    """The page never claims that all works while a component does not."""
    view = replace(views.OUTAGE, incidents=(), promises=())
    assert "<span>Not working: top-up, balance, promised payment</span>" in status(view)


def test_planned_work_alone_reads_as_maintenance() -> None:
    """A component under maintenance makes a maintenance headline."""
    one = replace(views.COMPONENTS[0], state=ComponentState.UNDER_MAINTENANCE)
    assert "<span>Maintenance: top-up</span>" in status(replace(views.CALM, components=(one,)))


def test_an_update_that_did_not_come_is_said_to_be_late() -> None:
    """After the promised time the page does not go on promising it."""
    late = replace(views.INCIDENT, next_update_at=views.NOON)
    assert "the update promised for" in status(replace(views.OUTAGE, incidents=(late,)))


def test_a_crediting_time_that_has_passed_is_not_printed() -> None:
    """A promise of crediting is dropped when its time has come, instead of standing there as false."""
    past = replace(views.INCIDENT, credited_by=views.NOON)
    html = status(replace(views.OUTAGE, incidents=(past,)))
    assert "not credited yet will be credited after the repair." in html
    assert "credited by" not in html


def test_the_terminals_promise_is_printed_only_when_terminals_are_covered() -> None:
    """Merchants are promised nothing that the policy does not promise to their SIM cards."""
    promised = page(Reader(views.OUTAGE, "en"), "terminal", "/terminal").decode()
    assert "SIM cards of terminals are not suspended for non\u2011payment until" in promised
    without = replace(views.OUTAGE, promises=(replace(views.PROMISE, segments=("prepaid",)),))
    assert "SIM cards of terminals" not in page(Reader(without, "en"), "terminal", "/terminal").decode()


def test_routes_are_ordered_by_what_works() -> None:
    """Works, then delayed, then disturbed, then down, then unknown."""
    states = [route.state for route in Reader(views.OUTAGE, "en").routes(RouteKind.PAYMENT)]
    assert states == list(RouteState)


def test_a_drill_is_marked_as_an_exercise() -> None:
    """Nobody can take the page of a drill for the real one."""
    assert "EXERCISE" in status(replace(views.OUTAGE, drill=True))
    assert "EXERCISE" not in status()


def test_text_colours_have_a_contrast_of_7_to_1() -> None:
    """Text, soft text and the old-page warning reach WCAG's AAA contrast in both schemes, shapes 3 to 1."""
    css = (STATIC / "page.css").read_text(encoding="utf-8")
    light, dark = (
        dict(re.findall(r"--(\w+):(#[0-9a-f]{3,6})", block)) for block in re.findall(r":root\{([^}]+)\}", css)[:2]
    )
    assert (_full(light["paper"]), dark["paper"]) == (LIGHT_GROUND, DARK_GROUND)
    for scheme in (light, dark):
        ground = _full(scheme["paper"])
        assert all(contrast(scheme[name], ground) >= 7 for name in ("ink", "soft"))
        assert all(
            contrast(scheme[name], ground) >= 3 for name in ("works", "delayed", "disturbed", "down", "maintenance")
        )


def _full(colour: str) -> str:
    return colour if len(colour) == 7 else "#" + "".join(digit * 2 for digit in colour[1:])
