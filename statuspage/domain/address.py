"""Addresses in their one normal form, or a coded refusal that never repeats the address."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import cache
from urllib.parse import quote, urlsplit, urlunsplit

from statuspage.domain.errors import RuleError


class AddressError(RuleError):
    """`code` is one of address.empty, too_long, no_country, not_a_number, not_an_email, not_ascii, not_an_iccid,
    bad_check_digit, not_a_url, foreign_domain (each behind "address.")."""


_LONGEST_NUMBER = 40
_LONGEST_EMAIL = 254
_LONGEST_LOCAL = 64
_LONGEST_LABEL = 63
_LONGEST_URL = 2048
_FILLING = str.maketrans("", "", " \u00a0\u2009\u202f()-.\u2010\u2011\u2012\u2013")

_DIGITS = re.compile(r"[+\uff0b]?\d{3,20}").fullmatch

Recogniser = Callable[[str], "re.Match[str] | None"]


def normalise_msisdn(text: str, default_region: str | None = None) -> str:
    """E.164 with "+". `default_region` (ISO 3166) reads numbers written without a country; None refuses them.

    Mobile numbers of the default region take a fast path of a microsecond or two, made from the library's own tables so
    that both agree; all others take the 20 µs or more of phonenumbers.
    """
    if not text or len(text) > _LONGEST_NUMBER:
        raise _refuse_length(text, "msisdn", _LONGEST_NUMBER)
    if default_region is not None:
        recognise, country = _mobile(default_region)
        match = recognise(text) or recognise(text.translate(_FILLING))
        if match is not None:
            return country + match[1]
    return _by_library(text, default_region)


@cache
def _mobile(region: str) -> tuple[Recogniser, str]:
    # Imported on first use: a process that never reads a number stays 4 MB smaller.
    import phonenumbers

    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    if metadata is None or metadata.mobile is None or not metadata.mobile.national_number_pattern:
        raise AddressError("address.no_country", f"default_region: {region} has no numbering plan.", "default_region")
    country = f"+{metadata.country_code}"
    example = metadata.mobile.example_number or ""
    written = [country, str(metadata.country_code), metadata.national_prefix or "", ""]
    # In some plans (Germany, Indonesia, Colombia) a bare country code or a trunk prefix reads as part of the number.
    safe = [prefix for prefix in written if example and _same(prefix + example, country + example, region)]
    prefixes = "|".join(re.escape(prefix) for prefix in safe) or "(?!)"
    pattern = metadata.mobile.national_number_pattern.replace(r"\d", "[0-9]")
    return re.compile(f"(?:{prefixes})({pattern})").fullmatch, country


def _same(text: str, e164: str, region: str) -> bool:
    try:
        return _by_library(text, region) == e164
    except AddressError:
        return False


def _by_library(text: str, default_region: str | None) -> str:
    import phonenumbers

    # The library would read a number out of a sentence, and letters as the digits of an old keypad.
    if not _DIGITS(text.translate(_FILLING)):
        raise _not_a_number()
    try:
        number = phonenumbers.parse(text, default_region)
    except phonenumbers.NumberParseException as error:
        if error.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE:
            raise AddressError(
                "address.no_country", "msisdn: no country. Write it as +, country code and number.", "msisdn"
            ) from None
        raise _not_a_number() from None
    if number.extension or not phonenumbers.is_valid_number(number):
        raise _not_a_number()
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _not_a_number() -> AddressError:
    return AddressError("address.not_a_number", "msisdn: not a number of any plan. Check its digits.", "msisdn")


_PLAIN_EMAIL = re.compile(
    r"([a-z0-9_]+(?:[.+-][a-z0-9_]+)*)@((?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+([a-z]{2,24}))"
).fullmatch
_SPECIAL = frozenset({"arpa", "invalid", "local", "localhost", "onion", "test"})


def normalise_email(text: str) -> str:
    """The address in lower case, its domain in ASCII. A local part that is not ASCII is refused: few can deliver to it.

    The whole address is lowered, so that one person is told once, however the address was typed.
    """
    plain = text.strip(" \t").lower()
    if not plain or len(plain) > _LONGEST_EMAIL:
        raise _refuse_length(plain, "email", _LONGEST_EMAIL)
    match = _PLAIN_EMAIL(plain)
    if match is not None:
        local, domain, top = match.groups()
        if len(local) <= _LONGEST_LOCAL and len(domain) <= _LONGEST_LABEL and top not in _SPECIAL:
            return plain
    # Imported on first use, like the library for numbers.
    from email_validator import EmailNotValidError, validate_email

    try:
        address = validate_email(plain, check_deliverability=False, strict=True).ascii_email
    except EmailNotValidError:
        raise AddressError("address.not_an_email", "email: not an address. Check its spelling.", "email") from None
    if address is None:
        raise AddressError("address.not_ascii", "email: the part before @ has letters that mail cannot carry.", "email")
    return address.lower()


_DOUBLED = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
_ICCID = re.compile("89[0-9]{17,18}").fullmatch


def normalise_iccid(text: str) -> str:
    """The 19 or 20 digits of a SIM (ITU-T E.118), check digit verified; spaces, hyphens and a filler F are dropped."""
    if not text or len(text) > _LONGEST_NUMBER:
        raise _refuse_length(text, "iccid", _LONGEST_NUMBER)
    digits = text
    if not _ICCID(digits):
        digits = text.translate(_FILLING).rstrip("Ff")
        if not _ICCID(digits):
            raise AddressError("address.not_an_iccid", "iccid: 19 or 20 digits that begin with 89 are needed.", "iccid")
    octets = digits.encode()
    kept = octets[-1::-2]
    if (sum(kept) - 48 * len(kept) + sum(octets[-2::-2].translate(_DOUBLED))) % 10:
        raise AddressError("address.bad_check_digit", "iccid: the check digit is wrong. Read the card again.", "iccid")
    return digits


_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}").fullmatch
_URL_SAFE = "/%:@!$&'()*+,;=~-._?"
_UNFIT = re.compile(r"[\x00-\x20\x7f\\<>\"^`{|}\u0085\u00a0\u2028\u2029\u202a-\u202e\u2066-\u2069]").search


def normalise_url(text: str, domains: Collection[str] | None = None) -> str:
    """An https address in ASCII, its host lowered. `domains`, when given, are the only ones (with their subdomains)
    that customers may be sent to."""
    plain = text.strip(" \t")
    if not plain or len(plain) > _LONGEST_URL:
        raise _refuse_length(plain, "url", _LONGEST_URL)
    try:
        parts = urlsplit(plain)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode().lower()
    except (ValueError, UnicodeError):
        raise _not_a_url() from None
    if _UNFIT(plain) or parts.scheme.lower() != "https" or "@" in parts.netloc or not _HOST(host):
        raise _not_a_url()
    if domains is not None and not any(host == domain or host.endswith("." + domain) for domain in domains):
        raise AddressError("address.foreign_domain", f"url: use one of {', '.join(sorted(domains))}.", "url")
    netloc = host if port in (None, 443) else f"{host}:{port}"
    path, query, fragment = (quote(part, safe=_URL_SAFE) for part in (parts.path, parts.query, parts.fragment))
    return urlunsplit(("https", netloc, path, query, fragment))


def _not_a_url() -> AddressError:
    return AddressError("address.not_a_url", "url: https:// and the name of a host are needed.", "url")


def _refuse_length(text: str, field: str, longest: int) -> AddressError:
    if not text:
        return AddressError("address.empty", f"{field}: it is empty.", field)
    return AddressError("address.too_long", f"{field}: {len(text)} characters, at most {longest} are possible.", field)
