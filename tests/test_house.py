"""The rules of the house, read off its own source: whoever breaks one is told which and where."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from statuspage.config import KNOWN_LOCALES, Settings

ROOT = Path(__file__).parent.parent
LONGEST_FILE = 400
LONGEST_FUNCTION = 40
MIGRATIONS = "statuspage/migrations/versions/"  # a migration is one list of tables, read once and never changed
ALLOWED_LONG: dict[str, str] = {}
"""path or path:function → why it may be longer; empty at best."""

UNAUDITED: dict[str, str] = {
    "statuspage/services/people.py:imports": "lists the runs of the importer and writes nothing",
    "statuspage/services/report.py:gather": "reads the figures of a report and writes nothing",
}
"""path:function of a verb that takes an actor and writes no audit row itself → why."""

ROUTE_WORDS = frozenset({"get", "post", "put", "patch", "delete", "route"})
READING = re.compile(r"_|preview|count|list|show|get|find|may|check|estimate|describe|require")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tracked() -> tuple[Path, ...]:
    """Every file of the project, also those not committed yet."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True, encoding="utf-8").stdout.split("\0")
    return tuple(path for name in sorted(set(names)) if name and (path := ROOT / name).is_file())


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def python(*folders: str) -> list[Path]:
    """The Python files under `folders`, and app.py with the shipped ones."""
    return [path for path in tracked() if path.suffix == ".py" and named(path).startswith(folders)]


def shipped() -> list[Path]:
    return python("app.py", "statuspage/", "notifiers/")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, Function))


def calls(node: ast.AST) -> Iterator[ast.Call]:
    return (inner for inner in ast.walk(node) if isinstance(inner, ast.Call))


def called(call: ast.Call) -> str:
    """The dotted name that is called, as far as it is one."""
    return ast.unparse(call.func)


def at(path: Path, node: ast.stmt | ast.expr | ast.ExceptHandler) -> str:
    return f"{named(path)}:{node.lineno}"


def text_files() -> Iterator[tuple[Path, str]]:
    for path in tracked():
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def test_no_file_is_longer_than_a_room() -> None:
    """A file past 400 lines asks to be split by noun."""
    lengths = {named(path): len(path.read_text(encoding="utf-8").splitlines()) for path in python("")}
    long = {name: n for name, n in lengths.items() if n > LONGEST_FILE and not name.startswith(MIGRATIONS)}
    assert {name: n for name, n in long.items() if name not in ALLOWED_LONG} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    """A function past 40 lines asks to be split by what it does."""
    found = {
        f"{named(path)}:{function.name}": function.end_lineno - function.lineno + 1
        for path in python("")
        for function in functions(path)
        if function.end_lineno is not None
    }
    long = {name: n for name, n in found.items() if n > LONGEST_FUNCTION and not name.startswith(MIGRATIONS)}
    assert {name: n for name, n in long.items() if name not in ALLOWED_LONG} == {}


def test_the_lists_of_exceptions_are_not_stale() -> None:
    """An exception whose reason is gone, goes."""
    known = {named(path) for path in python("")}
    known |= {f"{named(path)}:{function.name}" for path in python("") for function in functions(path)}
    assert {*ALLOWED_LONG, *UNAUDITED} <= known


def test_there_is_one_commit() -> None:
    """All writing goes through `transaction()`; nothing else commits."""
    commits = [named(path) for path in shipped() for call in calls(tree(path)) if called(call).endswith(".commit")]
    assert commits == ["statuspage/db.py"]


def test_one_place_asks_what_time_it_is() -> None:
    """Time comes from the clock that `app.py` hands in, so that tests and drills can move it."""
    asking = re.compile(r"(^|\.)(datetime\.(now|utcnow|today)|date\.today|time\.time|time\.time_ns)$")
    found = [named(path) for path in shipped() for call in calls(tree(path)) if asking.search(called(call))]
    assert sorted(found) == ["notifiers/base.py", "statuspage/clock.py"]  # the ground floor cannot know the other


def test_every_route_says_who_may_call_it() -> None:
    """Right under each route stands @access(…), @access.user, @access.public or @access.callback."""
    silent = []
    for path in python("statuspage/web/"):
        ruled = {
            ast.unparse(argument)
            for call in calls(tree(path))
            if called(call).endswith(".add_url_rule")
            for argument in call.args[2:3]
        }
        for function in functions(path):
            words = [decorator for decorator in function.decorator_list if isinstance(decorator, ast.Call)]
            routed = any(isinstance(word.func, ast.Attribute) and word.func.attr in ROUTE_WORDS for word in words)
            declared = any(re.match(r"access\b", ast.unparse(word)) for word in function.decorator_list)
            if (routed or function.name in ruled) and not declared:
                silent.append(at(path, function))
    assert silent == []


def test_every_verb_is_audited() -> None:
    """What a person does leaves an audit row in its transaction: each verb that takes an actor reaches `record`."""
    reached = {"record"}
    bodies = {(named(path), f.name): f for path in python("statuspage/services/") for f in functions(path)}
    while True:
        more = {
            name
            for (_, name), body in bodies.items()
            if name not in reached and any(called(call).rsplit(".", 1)[-1] in reached for call in calls(body))
        }
        if not more:
            break
        reached |= more
    silent = [
        f"{path}:{name}"
        for (path, name), body in bodies.items()
        if {"session", "actor"} <= {argument.arg for argument in body.args.args}
        and not READING.match(name)
        and name not in reached
    ]
    assert [place for place in silent if place not in UNAUDITED] == []


def test_services_never_send_or_render() -> None:
    """A verb checks, writes and audits; it opens no connection and fills no template."""
    forbidden = re.compile(r"^(jinja2|aiohttp|smtplib|aiosmtplib|requests|urllib\.request|asyncio)(\.|$)")
    found = [
        at(path, node)
        for path in python("statuspage/services/", "statuspage/models/")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
        if forbidden.match(name)
    ]
    assert found == []


def test_every_notifier_passes_the_contract_suite() -> None:
    """A file of notifiers/ that defines a notifier is named in tests/notifiers/test_contract.py."""
    suite = ROOT / "tests" / "notifiers" / "test_contract.py"
    defined = {
        path.stem
        for path in python("notifiers/")
        if path.stem != "base"
        for node in tree(path).body
        if isinstance(node, ast.ClassDef)
        and {"send", "reconcile"} <= {part.name for part in node.body if isinstance(part, Function)}
    }
    tested = suite.read_text(encoding="utf-8") if suite.exists() else ""
    assert {stem for stem in defined if not re.search(rf"\b{stem}\b", tested)} == set()


def test_every_setting_that_is_named_exists() -> None:
    """No file speaks of a setting that there is not."""
    known = {f"STATUSPAGE_{name.upper()}{end}" for name in Settings.model_fields for end in ("", "_FILE")}
    known |= {"STATUSPAGE_CONFIG"}
    here = {"tests/test_config.py", "tests/test_house.py"}  # these name wrong ones on purpose
    spoken = {
        (named(path), word)
        for path, text in text_files()
        if named(path) not in here
        for word in re.findall(r"\bSTATUSPAGE_[A-Z_]*[A-Z]\b", text)
        if not word.startswith("STATUSPAGE_TEST_") and word != "STATUSPAGE_TEST"
    }
    assert {(path, word) for path, word in spoken if word not in known} == set()


def test_no_file_knows_this_machine_or_a_registry() -> None:
    """A clone works anywhere: no path of the machine it was written on, no address of a package registry."""
    hosts = ("pypi" + ".org", "pythonhosted" + ".org", "registry." + "npmjs", "deb.debian" + ".org")
    paths = ("/wor" + "k/", "/roo" + "t/", "bash" + "_jobs")
    found = [(named(path), word) for path, text in text_files() for word in (*hosts, *paths) if word in text]
    assert found == []


def test_nothing_is_left_half_done() -> None:
    """No stub, no note to do it later, no error swallowed in shipped code."""
    half = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    notes = [named(path) for path, text in text_files() if "tests/" not in named(path) and half.search(text)]
    swallowed = [
        at(path, handler)
        for path in shipped()
        for handler in ast.walk(tree(path))
        if isinstance(handler, ast.ExceptHandler)
        and all(isinstance(part, ast.Pass) for part in handler.body)
        and (handler.type is None or "Exception" in ast.unparse(handler.type))
    ]
    assert (notes, swallowed) == ([], [])


def test_every_test_says_a_behaviour() -> None:
    """A test's docstring is the sentence that its failure makes untrue."""
    silent = [
        at(path, function)
        for path in python("tests/")
        for function in functions(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert silent == []


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_every_locale_has_every_word(locale: str) -> None:
    """Texts exist in every language: the same files and the same keys, and a short text for each locale."""
    folder = ROOT / "statuspage" / "translations"
    first = KNOWN_LOCALES[0]
    assert {path.name for path in (folder / locale).iterdir()} == {path.name for path in (folder / first).iterdir()}
    for path in (folder / locale).glob("*.toml"):
        assert keys(path) == keys(folder / first / path.name), path.name
    short = {path.name.split(".")[0] for path in tracked() if named(path).startswith("templates/sms/")}
    assert [name for name in sorted(short) if not (ROOT / f"templates/sms/{name}.{locale}.txt").exists()] == []


def keys(path: Path) -> set[str]:
    """The dotted names of `path`; the forms of a plural are the language's own affair."""
    plural = {"zero", "one", "two", "few", "many", "other"}

    def walk(node: dict[str, object], before: str) -> Iterator[str]:
        for name, value in node.items():
            if isinstance(value, dict) and not set(value) <= plural:
                yield from walk(value, f"{before}{name}.")
            else:
                yield before + name

    return set(walk(tomllib.loads(path.read_text(encoding="utf-8")), ""))


def test_no_text_claims_a_law() -> None:
    """What we do is a promise of the operator; no text says that a law demands it."""
    claim = re.compile(r"legally required|required by law|по закону обязан|法律要求", re.IGNORECASE)
    said = [named(path) for path, text in text_files() if "tests/" not in named(path) and claim.search(text)]
    assert said == []


@pytest.mark.parametrize("name", ["run", "test", "proof-exporter"])
def test_requirements_are_pinned_with_hashes(name: str) -> None:
    """Each line is one exact version with its hashes; nothing in it names where it comes from."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    logical = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    pin = re.compile(r"[a-z0-9][a-z0-9._-]*==[^\s;]+( ; .*?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*")
    assert [line[:80] for line in logical if not pin.fullmatch(line)] == []
    pinned = {line.split("==")[0] for line in logical}
    bare = {re.split(r"[<>=~!\[; ]", line, maxsplit=1)[0].lower() for line in wanted(name)}
    assert bare <= pinned


def wanted(name: str) -> list[str]:
    """What the pinned list was made from."""
    if name.startswith("proof"):
        lines = (ROOT / "requirements" / f"{name}.in").read_text(encoding="utf-8").splitlines()
        return [line for line in lines if not line.startswith("#")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tested: list[str] = project["optional-dependencies"]["test"] if name == "test" else []
    return [*project["dependencies"], *tested, "setuptools"]


def test_the_npm_lock_names_no_registry() -> None:
    """Each package of tests/proof is pinned with its hash, and nothing in the lock names where it comes from."""
    lock = json.loads((ROOT / "tests" / "proof" / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: one for name, one in lock["packages"].items() if name}
    assert [name for name, one in packages.items() if "resolved" in one or not one.get("integrity")] == []
