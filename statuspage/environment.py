"""Where the settings come from: the environment, secret files, an optional TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from difflib import get_close_matches
from pathlib import Path

from pydantic import SecretStr, ValidationError

from statuspage.config import ConfigError, Contradiction, Settings
from statuspage.secret_key import keep_secret_key

PREFIX = "STATUSPAGE_"
_TESTS = "STATUSPAGE_TEST_"
_SECRETS = frozenset(name for name, field in Settings.model_fields.items() if field.annotation is SecretStr)
_NAMES = frozenset(Settings.model_fields) | {f"{name}_file" for name in _SECRETS}


def load(environ: Mapping[str, str]) -> Settings:
    """Return the settings; DATA_DIR exists and SECRET_KEY is set afterwards. ConfigError names every mistake."""
    problems: list[str] = []
    values = _from_toml(environ.get(f"{PREFIX}CONFIG", ""), problems) | _from_environment(environ)
    values = {name: value for name, value in values.items() if value != "" and _known(name, problems)}
    settings = _validated(_with_secret_files(values, problems), problems)
    if problems or settings is None:
        raise ConfigError(problems)
    return _with_secret_key(settings)


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    named = {name: value for name, value in environ.items() if name.startswith(PREFIX) and not name.startswith(_TESTS)}
    return {name.removeprefix(PREFIX).lower(): value for name, value in named.items() if name != f"{PREFIX}CONFIG"}


def _from_toml(path: str, problems: list[str]) -> dict[str, object]:
    if not path:
        return {}
    try:
        return dict(tomllib.loads(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        problems.append(f"{PREFIX}CONFIG names {path}, which cannot be read: {error.strerror}")
    except ValueError:
        # A parser's own words may quote the line, and the line may hold a secret.
        problems.append(f"{PREFIX}CONFIG names {path}, which is not valid TOML in UTF-8")
    return {}


def _known(name: str, problems: list[str]) -> bool:
    if name in _NAMES:
        return True
    near = get_close_matches(name, sorted(_NAMES), n=1, cutoff=0.75)
    hint = f"; did you mean {PREFIX}{near[0].upper()}?" if near else "; the names are in docs/settings.md"
    problems.append(f"{PREFIX}{name.upper()} is unknown{hint}")
    return False


def _with_secret_files(values: dict[str, object], problems: list[str]) -> dict[str, object]:
    plain = {name: value for name, value in values.items() if name in Settings.model_fields}
    for secret in sorted(_SECRETS):
        path = values.get(f"{secret}_file")
        name = f"{PREFIX}{secret.upper()}"
        if path is None:
            continue
        if secret in plain:
            problems.append(f"{name} and {name}_FILE are both set; keep one")
            continue
        try:
            plain[secret] = Path(str(path)).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            problems.append(f"{name}_FILE names {path}, which cannot be read as UTF-8 text")
    return plain


def _validated(values: dict[str, object], problems: list[str]) -> Settings | None:
    try:
        return Settings.model_validate(values)
    except Contradiction as error:
        problems += error.problems
    except ValidationError as error:
        # A field that was not given is only derived from one that is wrong, and that one is told.
        details = {str(detail["loc"][0]): detail["msg"] for detail in error.errors(include_url=False)}
        wrong = {name: text for name, text in details.items() if name in values}
        problems += [_told(name, values[name], text) for name, text in wrong.items()]
        problems += _contradictions_apart_from(wrong.keys(), values)
    return None


def _contradictions_apart_from(wrong: AbstractSet[str], values: dict[str, object]) -> list[str]:
    # What is wrong between the sound settings is told too, so that one start shows every mistake.
    try:
        Settings.model_validate({name: value for name, value in values.items() if name not in wrong})
    except Contradiction as error:
        return [problem for fields, problem in error.found if not fields & wrong]
    return []


def _told(name: str, value: object, text: str) -> str:
    shown = "" if name in _SECRETS else f"={str(value)[:80]!r}"
    remedy = text.removeprefix("Value error, ")
    return f"{PREFIX}{name.upper()}{shown} {remedy[:1].lower()}{remedy[1:]}"


def _with_secret_key(settings: Settings) -> Settings:
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if settings.secret_key.get_secret_value():
            return settings
        return settings.model_copy(update={"secret_key": SecretStr(keep_secret_key(settings.data_dir))})
    except OSError as error:
        raise ConfigError([f"{PREFIX}DATA_DIR={str(settings.data_dir)!r} cannot be used: {error.strerror}"]) from error
    except ValueError as error:
        raise ConfigError([f"{PREFIX}SECRET_KEY is unset and the kept one is refused: {error}"]) from error
