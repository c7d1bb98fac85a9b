"""Every text that a template of the console asks for is in the catalogues."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import statuspage
from statuspage.domain.grace import GraceCause
from statuspage.i18n import KNOWN_LOCALES, catalogue, slots
from statuspage.services.clock_facts import REPORT_FILED
from statuspage.services.words import APPROVED
from statuspage.web.shell import TEMPLATES

ASKED = re.compile(r'\bt\("([a-z0-9_.]+)"(?! ~)')
FAMILY = re.compile(r'\bt\("([a-z0-9_.]+)" ~')
REFUSING = {"RuleError", "NotAllowed", "NotFound", "AudienceError"}
OWN = ("page.", "report.", "form.", "act.")
TEMPLATE_FILES = sorted([*TEMPLATES.glob("console/**/*.html"), *TEMPLATES.glob("auth/*.html")])


def _full(key: str) -> str:
    return key if key.startswith(OWN) else f"console.{key}"


@pytest.mark.parametrize("path", TEMPLATE_FILES, ids=lambda path: path.relative_to(TEMPLATES).as_posix())
@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_a_template_asks_only_for_texts_there_are(path: Path, locale: str) -> None:
    """A missing text would be a broken page at three in the morning."""
    source = path.read_text(encoding="utf-8")
    known = catalogue(locale)
    assert [key for key in ASKED.findall(source) if _full(key) not in known] == []
    families = [key for key in FAMILY.findall(source) if not any(one.startswith(_full(key)) for one in known)]
    assert families == []


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_the_console_says_the_same_in_every_language(locale: str) -> None:
    """The same keys with the same slots in each language."""
    mine, english = _slots(locale), _slots("en")
    assert mine == english


def _slots(locale: str) -> dict[str, frozenset[str]]:
    found = {}
    for key, message in catalogue(locale).items():
        if key.startswith("console."):
            forms = [message] if isinstance(message, str) else list(message.values())
            found[key] = frozenset().union(*(slots(form) for form in forms))
    return found


SPOKEN = (
    *(f"services/{name}.py" for name in ("incidents", "updates", "lifecycle", "publication", "words", "wording")),
    *(f"services/{name}.py" for name in ("grace", "grace_policies", "playbook", "routes", "components", "users")),
    *(f"services/{name}.py" for name in ("campaigns", "campaign_course", "campaign_texts", "campaign_templates")),
    *(f"services/{name}.py" for name in ("approval", "quiet_hours", "audience_count")),
    *(f"domain/{name}.py" for name in ("incident", "grace", "playbook", "publication")),
    *(f"domain/{name}.py" for name in ("campaign", "consent", "message", "audience")),
)
"""What the console's forms on incidents, promises, routes, users and campaigns can be refused by."""

MACHINES_ONLY = {"incident.naive_time", "incident.no_updates", "playbook.bad_due", "playbook.no_measure"} | {
    "playbook.gate_stays",
    "route.check_in_future",
    "user.not_own_password",
    "campaign.unknown_field",
}
"""Refusals that no form of the console can run into."""


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
@pytest.mark.parametrize("name", SPOKEN)
def test_a_refusal_is_said_in_the_readers_language(name: str, locale: str) -> None:
    """Whatever a rule refuses in a form has words in the catalogue, not the rule's own for machines."""
    tree = ast.parse((Path(statuspage.__file__).parent / name).read_text(encoding="utf-8"))
    codes = {
        call.args[0].value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in REFUSING
        if call.args and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)
    }
    known = catalogue(locale)
    silent = [code for code in codes - MACHINES_ONLY if f"console.refusal.{code.replace('.', '_')}" not in known]
    assert silent == []


def test_a_refusal_brings_what_its_words_ask_for() -> None:
    """Words with a place for a value break without it: whoever refuses so gives values under names of their own."""
    open_ones = {key for key, found in _slots("en").items() if key.startswith("console.refusal.") and found}
    bare, misnamed = [], []
    for path in sorted(Path(statuspage.__file__).parent.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(call, ast.Call) and ast.unparse(call.func) in REFUSING and call.args):
                continue
            code = ast.unparse(call.args[0]).strip("'")
            if f"console.refusal.{code.replace('.', '_')}" in open_ones and len(call.args) + len(call.keywords) < 4:
                bare.append(f"{path.name}:{call.lineno}")
            given = [
                ast.unparse(one) for part in call.args[3:] if isinstance(part, ast.Dict) for one in part.keys if one
            ]
            misnamed += [f"{path.name}:{call.lineno}" for one in given if one in ("'key'", "'locale'")]
    assert (bare, misnamed) == ([], [])


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_the_audit_is_read_in_words(locale: str) -> None:
    """Every act that a verb records, and every thing it is recorded on, has words beside its code."""
    known = catalogue(locale)
    acts, things = {APPROVED, REPORT_FILED, *(f"grace.{cause}" for cause in GraceCause)}, set[str]()
    for path in sorted((Path(statuspage.__file__).parent / "services").glob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "audit.record":
                for place, found in ((2, acts), (3, things)):
                    word = call.args[place]
                    found |= {str(word.value)} if isinstance(word, ast.Constant) else set()
    assert [one for one in acts if f"act.{one}" not in known] == []
    assert [one for one in things if f"act.entity.{one}" not in known] == []
