"""The mail of a campaign: one a language, harmless whatever its author wrote, with a way out."""

from __future__ import annotations

import pytest

from notifiers.base import UNSUBSCRIBE_SLOT
from statuspage.i18n import KNOWN_LOCALES
from statuspage.publish import letter
from tests.publish import golden

MAIL = {
    "ru": "Не работает оплата с 22.11 в 10:00.\n\n**Связь не отключим** до 25.11 24:00.",
    "zh": "11月22日 10:00起暂时无法缴费。\n\n**11月25日 24:00前不会停机。**",
    "en": "Payments are down since 22.11 10:00.\n\n**Nobody is cut off** until 25.11 24:00.",
}


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_a_notice_reads_as_reviewed(locale: str) -> None:
    """Text and HTML of a notice, with the line that says why it came and how to stop it, are the reviewed ones."""
    made = letter.notice(locale, "Demo", MAIL[locale], "Demo Telecom")
    golden.matches(f"letter.{locale}", f"{made.text}\n[html]\n{golden.visible(made.html.encode())}")
    assert made.text.count(UNSUBSCRIBE_SLOT) == made.html.count(UNSUBSCRIBE_SLOT) == 1


def test_the_text_part_shows_no_marks_of_emphasis() -> None:
    """What stands in bold in HTML is plain in text; a dial code keeps its asterisks in both."""
    made = letter.notice("en", "Subject", "**No line** is cut. Dial *100# or **wait**.", "Demo Telecom")
    assert "No line is cut. Dial *100# or wait." in made.text
    assert "<strong>No line</strong> is cut. Dial *100# or <strong>wait</strong>." in made.html


def test_the_text_part_keeps_an_address_whole() -> None:
    """Asterisks inside it are no emphasis; those around it are."""
    made = letter.notice("zh", "Subject", "**https://a.example/x**，https://a.example/?q=a**b**c，**请**稍候", "Demo")
    assert made.text.startswith("https://a.example/x，https://a.example/?q=a**b**c，请稍候")
    assert 'href="https://a.example/?q=a**b**c"' in made.html


@pytest.mark.parametrize(
    ("mail", "html"),
    [
        ("See https://status.example/ru/.", '<a href="https://status.example/ru/" rel='),
        ("最新进展https://status.example/zh/。", '<a href="https://status.example/zh/" rel='),
        ("[the page](https://status.example/en/)", ">the page</a>"),
        ("<https://status.example/en/>", '<a href="https://status.example/en/" rel='),
    ],
)
def test_an_address_can_be_followed(mail: str, html: str) -> None:
    """An address in the text is a link in HTML, once, and stands in the text part as it was written."""
    made = letter.notice("en", "Subject", mail, "Demo Telecom")
    assert html in made.html
    assert made.html.count("https://status.example") == (1 if mail.startswith("[") else 2)
    assert mail in made.text


def test_what_is_written_cannot_script_a_reader() -> None:
    """Markup in a subject, a name or a text is shown, never run."""
    made = letter.notice("en", "<b>s</b>", "<script>alert(1)</script> [x](javascript:alert(1))", "A<i>B")
    assert "<script>" not in made.html
    assert "javascript:" not in made.html.replace("](javascript:", "")
    assert "A&lt;i&gt;B" in made.html


def test_a_confirmation_carries_its_link_once_in_each_part() -> None:
    """The link stands where the text asks for it, as a link in HTML, and nothing else is offered."""
    link = "https://status.demo.example/confirm/_a_.b"
    made = letter.confirmation("en", "Confirm", "Open {link} please. {{7*7}}", "Demo", link)
    assert made.text == f"Open {link} please. {{{{7*7}}}}"
    assert f'href="{link}"' in made.html
    assert f">{link}</a>" in made.html
    assert UNSUBSCRIBE_SLOT not in made.html
