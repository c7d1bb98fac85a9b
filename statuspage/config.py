"""Settings: read once at start, every mistake named at once, no secret in any message."""

from __future__ import annotations

import re
import sys
from datetime import time
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic.fields import FieldInfo

from statuspage.colour import CONTROL_CONTRAST, DARK_GROUND, LIGHT_GROUND, contrast, parse_colour
from statuspage.domain.clocks import PROFILES
from statuspage.secret_key import MINIMUM_LENGTH

KNOWN_LOCALES = ("ru", "zh", "en")


def _listed(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _networks(value: object) -> object:
    parts = _listed(value)
    return (
        tuple(ip_network(part) if isinstance(part, str) else part for part in parts)
        if isinstance(parts, (tuple, list))
        else parts
    )


Listed = BeforeValidator(_listed)
Network = IPv4Network | IPv6Network


class ConfigError(Exception):
    """The settings are refused; `problems` holds one line for each mistake, none of them with a secret."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("The settings are refused:\n" + "\n".join(f"  {problem}" for problem in problems))


class Contradiction(ConfigError):
    """Settings that are each right but not together; `found` pairs the fields concerned with the problem."""

    def __init__(self, found: list[tuple[frozenset[str], str]]) -> None:
        self.found = tuple(found)
        super().__init__([problem for _, problem in found])


class Settings(BaseModel):
    """All settings of one installation; frozen, secrets are SecretStr. Built by `environment.load()`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=False)

    data_dir: Path = Field(Path("var"), description="Directory for the database, the key and the published page.")
    database_url: SecretStr = Field(
        SecretStr(""),
        description="SQLAlchemy address, `sqlite:///…` or `postgresql://…`; SQLite in DATA_DIR when unset.",
    )
    secret_key: SecretStr = Field(
        SecretStr(""),
        description="At least 32 characters; signs links and hashes suppressed addresses. "
        "Made and kept in DATA_DIR when unset; needed with PostgreSQL, the same on every host.",
    )
    base_url: str = Field(
        "", description="Public address, for links and callbacks; `http://localhost:PORT` when unset."
    )
    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(8080, ge=1, le=65535, description="Port to listen on.")
    web_workers: int = Field(1, ge=1, le=64, description="Web processes of `serve` and `web`.")
    trusted_proxies: Annotated[tuple[Network, ...], BeforeValidator(_networks)] = Field(
        (),
        description="Networks, comma-separated, whose X-Forwarded headers are believed. "
        "For 127.0.0.1 see “A proxy on the same machine” below.",
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="`console` for people, `json` for collectors."
    )

    operator_name: str = Field(
        "Demo Telecom", min_length=1, max_length=60, description="The operator, as customers know it."
    )
    support_phone: str = Field(
        "", pattern=r"^$|^\+?[0-9*#][0-9 *#()-]{1,24}$", description="Number that customers may call; shown in texts."
    )
    privacy_url: str = Field("", description="Address of the privacy notice; linked from sign-up.")
    brand_name: str = Field("", max_length=60, description="Name in the page's head; OPERATOR_NAME when unset.")
    brand_logo: Path | None = Field(None, description="SVG or PNG file for the page's head.")
    brand_colours: Annotated[tuple[str, str], Listed] = Field(
        ("#0b57a4", "#8ab8f0"),
        description=f"Accent on light and on dark, as `#rrggbb,#rrggbb`; contrast of each at least {CONTROL_CONTRAST}.",
    )
    time_zone: str = Field("Europe/Moscow", description="IANA zone of the page and of people whose zone is unknown.")
    default_region: str = Field(
        "RU", pattern=r"^[A-Z]{2}$", description="ISO 3166 country of numbers that are written without one."
    )
    locales: Annotated[tuple[str, ...], Listed] = Field(
        KNOWN_LOCALES, min_length=1, description="Languages of the page, comma-separated, in the order shown."
    )
    default_locale: str = Field("ru", description="Language of people whose language is unknown; one of LOCALES.")

    smtp_url: SecretStr = Field(
        SecretStr(""), description="`smtp[s]://user:password@host:port`; unset: no e-mail leaves."
    )
    mail_from: str = Field("", description="Sender of e-mails, `name@host`; needed with SMTP_URL.")
    twilio_account_sid: str = Field(
        "", pattern=r"^$|^AC[0-9a-fA-F]{32}$", description="Twilio account; unset: no SMS leaves."
    )
    twilio_auth_token: SecretStr = Field(SecretStr(""), description="Twilio token; also checks callback signatures.")
    twilio_messaging_service_sid: str = Field(
        "", pattern=r"^$|^MG[0-9a-fA-F]{32}$", description="Twilio messaging service to send by."
    )
    twilio_from: str = Field(
        "",
        pattern=r"^$|^\+[1-9][0-9]{6,14}$|^[A-Za-z0-9 ]{1,11}$",
        description="Twilio sender, a number or a name; when no messaging service is set.",
    )
    twilio_base_url: str = Field("", description="Address of a stand-in for Twilio, for tests and demos.")
    sms_price: Decimal = Field(
        Decimal(0),
        ge=0,
        max_digits=12,
        decimal_places=6,
        description="Price of one SMS segment, in CURRENCY; needed with Twilio.",
    )
    currency: str = Field("USD", pattern=r"^[A-Z]{3}$", description="ISO 4217 currency of SMS_PRICE.")
    sms_rate: int = Field(
        20, ge=0, le=10_000, description="SMS segments handed over per second, over all senders; 0: no limit."
    )

    clock_profile: str = Field(
        "default_billing", min_length=1, description="Which notice clocks apply (docs/architecture.md)."
    )
    approval_threshold: int = Field(
        500,
        ge=0,
        description="Campaigns to more recipients need a second person; counted with those of the incident, and of any "
        "in the last 24 hours, that had none.",
    )
    approval_always: bool = Field(False, description="Every campaign needs a second person.")
    break_glass_cap: int = Field(
        1000,
        ge=0,
        description="Most recipients that one person tells alone, over the campaigns of an incident and of any in the "
        "last 24 hours.",
    )
    sms_cap_per_day: int = Field(
        3, ge=1, description="Most incident SMS to one person in 24 hours, over all incidents."
    )
    quiet_start: time = Field(time(22), description="Start of the person's quiet hours, local time; no SMS then.")
    quiet_end: time = Field(time(8), description="End of the quiet hours; equal to QUIET_START: none.")

    @property
    def on_postgresql(self) -> bool:
        """Whether the database is PostgreSQL rather than the embedded SQLite."""
        return self.database_url.get_secret_value().startswith("postgresql")

    @property
    def zone(self) -> ZoneInfo:
        """TIME_ZONE as a zone."""
        return ZoneInfo(self.time_zone)

    @model_validator(mode="before")
    @classmethod
    def _derive(cls, values: object) -> object:
        if not isinstance(values, dict):
            return values
        derived = dict(values)
        derived["data_dir"] = Path(derived.get("data_dir") or "var").absolute()
        derived.setdefault("database_url", f"sqlite:///{derived['data_dir']}/statuspage.db")
        derived.setdefault("base_url", f"http://localhost:{derived.get('port', 8080)}")
        derived.setdefault("brand_name", derived.get("operator_name", "Demo Telecom"))
        return derived

    @field_validator("database_url")
    @classmethod
    def _database_url(cls, value: SecretStr) -> SecretStr:
        if not re.match(r"(sqlite:///.|postgresql(\+psycopg)?://.)", value.get_secret_value()):
            raise ValueError("is neither sqlite:///FILE nor postgresql://user:password@host/name")
        return value

    @field_validator("secret_key")
    @classmethod
    def _secret_key(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < MINIMUM_LENGTH:
            raise ValueError(f"is shorter than {MINIMUM_LENGTH} characters; make one with: openssl rand -hex 32")
        return value

    @field_validator("base_url", "privacy_url", "twilio_base_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if value:
            _check_url(value, ("http", "https"), bare=True)
        return value.rstrip("/")

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        if urlsplit(value).path:
            raise ValueError("has a path; the page needs a host name of its own")
        return value

    @field_validator("smtp_url")
    @classmethod
    def _smtp_url(cls, value: SecretStr) -> SecretStr:
        _check_url(value.get_secret_value(), ("smtp", "smtps"), bare=False)
        return value

    @field_validator("mail_from")
    @classmethod
    def _mail_from(cls, value: str) -> str:
        if value and not re.fullmatch(r"[^\s@<>,;\"]+@[^\s@<>,;\"]+", value):
            raise ValueError("is no address; write name@host")
        return value

    @field_validator("time_zone")
    @classmethod
    def _time_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("is no IANA time zone; write one such as Europe/Moscow")
        return value

    @field_validator("clock_profile")
    @classmethod
    def _clock_profile(cls, value: str) -> str:
        if value not in PROFILES:
            raise ValueError(f"is no profile; there are {', '.join(PROFILES)}")
        return value

    @field_validator("locales")
    @classmethod
    def _locales(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [locale for locale in value if locale not in KNOWN_LOCALES]:
            raise ValueError(f"names {', '.join(unknown)}; there are texts in {', '.join(KNOWN_LOCALES)}")
        if len(set(value)) != len(value):
            raise ValueError("names a language twice")
        return value

    @field_validator("brand_logo")
    @classmethod
    def _brand_logo(cls, value: Path | None) -> Path | None:
        if value is not None and (value.suffix not in {".svg", ".png"} or not value.is_file()):
            raise ValueError("is not an SVG or PNG file that can be found")
        return value

    @field_validator("brand_colours")
    @classmethod
    def _brand_colours(cls, value: tuple[str, str]) -> tuple[str, str]:
        light, dark = parse_colour(value[0]), parse_colour(value[1])
        for colour, ground in ((light, LIGHT_GROUND), (dark, DARK_GROUND)):
            if (ratio := contrast(colour, ground)) < CONTROL_CONTRAST:
                raise ValueError(f"has {colour} at {ratio:.2f} on {ground}; {CONTROL_CONTRAST} is needed to be read")
        return light, dark

    @model_validator(mode="after")
    def _together(self) -> Self:
        if found := _contradictions(self):
            raise Contradiction(found)
        return self


def _contradictions(settings: Settings) -> list[tuple[frozenset[str], str]]:
    twilio = bool(settings.twilio_account_sid)
    sender = settings.twilio_messaging_service_sid or settings.twilio_from
    given = settings.model_fields_set
    rules = (
        ("default_locale locales", settings.default_locale not in settings.locales, "is not one of LOCALES"),
        ("secret_key database_url", settings.on_postgresql and "secret_key" not in given, "is needed with PostgreSQL"),
        ("mail_from smtp_url", "smtp_url" in given and not settings.mail_from, "is needed with SMTP_URL"),
        ("twilio_auth_token twilio_account_sid", twilio and "twilio_auth_token" not in given, "is needed with Twilio"),
        ("twilio_messaging_service_sid twilio_from", twilio and not sender, "or TWILIO_FROM is needed with Twilio"),
        (
            "twilio_account_sid twilio_auth_token",
            not twilio and "twilio_auth_token" in given,
            "is needed with TWILIO_AUTH_TOKEN",
        ),
        (
            "sms_price twilio_account_sid",
            twilio and "sms_price" not in given,
            "is needed with Twilio, for the cost shown",
        ),
    )
    return [
        (frozenset(names.split()), f"STATUSPAGE_{names.split()[0].upper()} {text}")
        for names, broken, text in rules
        if broken
    ]


def _check_url(text: str, schemes: tuple[str, ...], *, bare: bool) -> None:
    try:
        url = urlsplit(text)
        sound = url.scheme in schemes and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        sound = False
    if not sound or re.search(r"\s", text):
        raise ValueError(f"is no address; write {schemes[-1]}://host")
    if bare and (url.username or url.password or url.query or url.fragment):
        raise ValueError("has a user, query or fragment; leave these out")


def settings_table() -> str:
    """docs/settings.md, made from the fields so that it cannot fall behind them."""
    rows = [f"| `STATUSPAGE_{name.upper()}` | {_shown(name)} | {field.description} |" for name, field in _fields()]
    return "\n".join([_HEADING, *rows, _PROXY, ""])


_HEADING = """# Settings

From the environment, or from a TOML file named by `STATUSPAGE_CONFIG` (names in lower case, without the prefix); the
environment wins. An empty value counts as unset. A secret may also stand in a file named by the same name with `_FILE`.
A wrong or unknown setting stops the start, and all mistakes are named at once. Names that begin with `STATUSPAGE_TEST_`
belong to the test suite. This page is made by `python -m statuspage.config`.

| name | default | meaning |
| --- | --- | --- |"""


_PROXY = """
## A proxy on the same machine

`/metrics` and first passwords work on this machine only. Whatever comes from a trusted proxy counts as a visitor's:
with 127.0.0.1 in TRUSTED_PROXIES this machine's own requests do too, so `/metrics` answers 404 and the first log-in is
refused. Let the proxy connect from an address of its own instead: in nginx `proxy_bind 127.0.0.2;`, with
TRUSTED_PROXIES=127.0.0.2.

Wrong passwords count for the account and the network they came from (a /24, or a /56 of IPv6): after five the next
try waits a minute, then twice as long each time, a quarter of an hour at most, and only there. Behind a proxy that is
not in TRUSTED_PROXIES everybody comes from the proxy's network, so that one who guesses makes all wait: name it.
One address has ten wrong passwords in five minutes, over all accounts (in each web process). Past them only accounts
that were logged in to from its network in the last 90 days still can be, so that one who guesses keeps no shift out."""


def _fields() -> list[tuple[str, FieldInfo]]:
    return list(Settings.model_fields.items())


def _shown(name: str) -> str:
    value = Settings.model_fields[name].default
    if isinstance(value, SecretStr):
        return "(secret)"
    if isinstance(value, tuple):
        value = ",".join(value)
    if isinstance(value, time):
        value = value.strftime("%H:%M")
    return f"`{value}`" if value not in ("", None) else ""


if __name__ == "__main__":
    sys.stdout.write(settings_table())
