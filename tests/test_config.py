"""Settings as an operator meets them: defaults, mistakes, secrets."""

from __future__ import annotations

import json
import multiprocessing
import re
import subprocess
import sys
from datetime import time
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from statuspage.colour import contrast
from statuspage.config import ConfigError, Settings, settings_table
from statuspage.environment import load
from statuspage.jobs.options import EngineOptions
from statuspage.secret_key import keep_secret_key

ROOT = Path(__file__).parent.parent
SECRET = "correct-horse-battery-staple-0123456789"
TWILIO = {
    "STATUSPAGE_TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "STATUSPAGE_TWILIO_AUTH_TOKEN": SECRET,
    "STATUSPAGE_TWILIO_FROM": "+15005550006",
    "STATUSPAGE_SMS_PRICE": "0.0079",
}


@pytest.fixture
def at(tmp_path: Path) -> dict[str, str]:
    return {"STATUSPAGE_DATA_DIR": str(tmp_path / "var")}


def problems(environ: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as refused:
        load(environ)
    assert SECRET not in str(refused.value) + repr(refused.value)
    return refused.value.problems


def problem(environ: dict[str, str]) -> str:
    (only,) = problems(environ)
    return only


def test_nothing_set_is_a_working_installation(at: dict[str, str], tmp_path: Path) -> None:
    """Without a setting there are SQLite, a key, three languages and no sender."""
    settings = load(at)
    assert settings.database_url.get_secret_value() == f"sqlite:///{tmp_path}/var/statuspage.db"
    assert settings.base_url == "http://localhost:8080"
    assert settings.locales == ("ru", "zh", "en")
    assert len(settings.secret_key.get_secret_value()) == 64
    assert not settings.smtp_url.get_secret_value()
    assert settings.brand_name == settings.operator_name
    assert not settings.on_postgresql


def test_every_kind_of_value_is_read(at: dict[str, str]) -> None:
    """Lists are comma-separated, times local, money decimal, and an empty value is unset."""
    given_values = {
        "STATUSPAGE_PORT": "9000",
        "STATUSPAGE_LOCALES": "zh, en",
        "STATUSPAGE_DEFAULT_LOCALE": "zh",
        "STATUSPAGE_TRUSTED_PROXIES": "10.0.0.0/8,::1",
        "STATUSPAGE_QUIET_START": "21:30",
        "STATUSPAGE_APPROVAL_ALWAYS": "true",
        "STATUSPAGE_HOST": "",
    }
    settings = load({**at, **TWILIO, **given_values})
    assert settings.base_url == "http://localhost:9000"
    assert settings.locales == ("zh", "en")
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1"))
    assert settings.quiet_start == time(21, 30)
    assert settings.approval_always
    assert settings.sms_price == Decimal("0.0079")
    assert settings.host == "127.0.0.1"


def test_all_mistakes_are_told_at_once(at: dict[str, str]) -> None:
    """One start shows every mistake: of form, of name, and between settings."""
    told = problems(
        {
            **at,
            "STATUSPAGE_PORT": "99999",
            "STATUSPAGE_TIME_ZONE": "Moscow",
            "STATUSPAGE_DATABASE_URL": f"postgresql://u:{SECRET}@db/status",
            "STATUSPAGE_SMTP_URL": f"ftp://u:{SECRET}@mail",
            "STATUSPAGE_TIMEZONE": "UTC",
            "STATUSPAGE_TWILIO_ACCOUNT_SID": TWILIO["STATUSPAGE_TWILIO_ACCOUNT_SID"],
        }
    )
    named = [re.match(r"STATUSPAGE_(\w+)", line)[1] for line in told]  # type: ignore[index]
    assert named == [
        *("TIMEZONE", "PORT", "TIME_ZONE", "SMTP_URL", "SECRET_KEY", "TWILIO_AUTH_TOKEN"),
        *("TWILIO_MESSAGING_SERVICE_SID", "SMS_PRICE"),
    ]


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("TIME_ZONE", "Mars/Olympus", "IANA"),
        ("BASE_URL", "status.example.com", "https://host"),
        ("BASE_URL", "https://example.com/status", "host name of its own"),
        ("BASE_URL", "https://user@example.com", "leave these out"),
        ("LOCALES", "ru,fr", "there are texts in ru, zh, en"),
        ("DEFAULT_LOCALE", "de", "one of LOCALES"),
        ("BRAND_COLOURS", "#ffff00,#8ab8f0", "1.07 on #ffffff"),
        ("BRAND_COLOURS", "red,#8ab8f0", "#rrggbb"),
        ("BRAND_LOGO", "/nowhere/logo.svg", "SVG or PNG"),
        ("TRUSTED_PROXIES", "10.0.0.1/8", "host bits"),
        ("MAIL_FROM", "Demo <a@b>", "name@host"),
        ("CLOCK_PROFILE", "lunar", "default_billing"),
        ("LOG_FORMAT", "xml", "console"),
        ("SMS_PRICE", "-1", "greater than or equal to 0"),
        ("CURRENCY", "roubles", "^[A-Z]{3}$"),
        ("DATABASE_URL", "mysql://x", "postgresql://"),
        ("SECRET_KEY", "hunter2", "openssl rand -hex 32"),
        ("TWILIO_AUTH_TOKEN", SECRET, "TWILIO_ACCOUNT_SID is needed with TWILIO_AUTH_TOKEN"),
    ],
)
def test_a_mistake_names_the_setting_and_the_remedy(at: dict[str, str], name: str, value: str, remedy: str) -> None:
    """Each refusal names the setting, shows the value unless it is a secret, and says what to do."""
    told = problem({**at, f"STATUSPAGE_{name}": value})
    assert remedy in told
    assert told.startswith("STATUSPAGE_")
    assert (value in told) == (name not in {"DATABASE_URL", "SECRET_KEY", "TWILIO_AUTH_TOKEN", "DEFAULT_LOCALE"})


def test_no_limit_is_no_limit_to_the_sender_too(at: dict[str, str]) -> None:
    """SMS_RATE=0 may be set, and the sender takes it for what the table of settings says."""
    options = EngineOptions.of(load({**at, "STATUSPAGE_SMS_RATE": "0"}))
    assert options.sms_rate == 0
    assert "0: no limit" in settings_table()
    assert "greater than or equal to 0" in problem({**at, "STATUSPAGE_SMS_RATE": "-1"})


def test_an_unknown_name_is_refused_with_a_guess(at: dict[str, str]) -> None:
    """A typing error does not pass in silence; the test suite's own names do."""
    assert "did you mean STATUSPAGE_BASE_URL?" in problem({**at, "STATUSPAGE_BASEURL": "https://x.example"})
    assert "docs/settings.md" in problem({**at, "STATUSPAGE_QQQQ": "1"})
    assert load({**at, "STATUSPAGE_TEST_POSTGRES": "x", "PATH": "/bin"}).port == 8080


def test_a_secret_may_stand_in_a_file(at: dict[str, str], tmp_path: Path) -> None:
    """A secret is read from X_FILE without its line end; both at once, or a missing file, is refused."""
    file = tmp_path / "key"
    file.write_text(SECRET + "\n")
    named = {**at, "STATUSPAGE_SECRET_KEY_FILE": str(file)}
    assert load(named).secret_key.get_secret_value() == SECRET
    assert "keep one" in problem({**named, "STATUSPAGE_SECRET_KEY": SECRET})
    assert "cannot be read" in problem({**at, "STATUSPAGE_SECRET_KEY_FILE": str(tmp_path / "none")})
    assert "unknown" in problem({**at, "STATUSPAGE_BASE_URL_FILE": str(file)})


def test_a_toml_file_is_read_and_the_environment_wins(at: dict[str, str], tmp_path: Path) -> None:
    """Names in the file are lower case without the prefix; a broken file is named, its text is not."""
    file = tmp_path / "status.toml"
    file.write_text('port = 9001\nlocales = ["en", "ru"]\noperator_name = "Ромашка"\n', encoding="utf-8")
    named = {**at, "STATUSPAGE_CONFIG": str(file), "STATUSPAGE_PORT": "9002"}
    settings = load(named)
    assert (settings.port, settings.locales, settings.operator_name) == (9002, ("en", "ru"), "Ромашка")
    file.write_text(f'secret_key = "{SECRET}\n', encoding="utf-8")
    assert "not valid TOML" in problem(named)
    assert "cannot be read" in problem({**at, "STATUSPAGE_CONFIG": str(tmp_path / "none.toml")})


def test_no_secret_is_ever_shown(at: dict[str, str]) -> None:
    """Neither a printed Settings, its JSON, nor pydantic's own refusal holds a secret."""
    mail = {"STATUSPAGE_SMTP_URL": f"smtp://u:{SECRET}@mail:25", "STATUSPAGE_MAIL_FROM": "a@b"}
    settings = load({**at, **TWILIO, **mail})
    shown = f"{settings!r} {settings} {json.dumps(settings.model_dump(mode='json'))}"
    assert SECRET not in shown
    assert "AC" + "0" * 32 in shown
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({"smtp_url": f"ftp://{SECRET}"})
    assert SECRET not in str(refused.value)


def test_settings_are_frozen(at: dict[str, str]) -> None:
    """A running installation's settings cannot be changed behind its back."""
    settings = load(at)
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]


def test_the_key_is_kept(at: dict[str, str], tmp_path: Path) -> None:
    """The made key is the same at the next start and readable by its owner alone."""
    first = load(at).secret_key
    assert load(at).secret_key == first
    file = tmp_path / "var" / "secret_key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["secret_key"]
    file.chmod(0o644)
    assert "chmod 600" in problem(at)
    file.chmod(0o600)
    file.write_text("")
    assert "restore it from the backup" in problem(at)


def test_an_unusable_data_dir_is_named(tmp_path: Path) -> None:
    """A DATA_DIR that is a file is a mistake like any other."""
    (tmp_path / "file").write_text("")
    assert "STATUSPAGE_DATA_DIR" in problem({"STATUSPAGE_DATA_DIR": str(tmp_path / "file")})


def test_racing_processes_agree_on_one_key(tmp_path: Path) -> None:
    """Web, sender and scheduler that start together on an empty directory sign with one key."""
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        keys = pool.map(keep_secret_key, [tmp_path / "var"] * 32, chunksize=1)
    assert len(set(keys)) == 1


def test_contrast_is_the_one_of_wcag() -> None:
    """Black on white is 21; the grey that WCAG's readers know as the lightest to pass has 4.54."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)


@given(st.text(max_size=40).filter(lambda text: "\0" not in text), st.sampled_from(sorted(Settings.model_fields)))
def test_no_value_makes_the_reading_fail_otherwise(value: str, name: str) -> None:
    """Whatever is written, Settings come out or a refusal, never another error."""
    if name in {"data_dir", "secret_key"}:
        return
    refused: Exception | None = None
    try:
        Settings.model_validate({name: value})
    except (ValidationError, ConfigError) as error:
        refused = error
    assert refused is None or name in str(refused).lower()


def test_the_docs_tell_every_setting() -> None:
    """docs/settings.md is what the generator prints."""
    command = [sys.executable, "-m", "statuspage.config"]
    printed = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=ROOT, check=True).stdout
    assert printed == settings_table() == (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
