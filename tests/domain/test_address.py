from __future__ import annotations

import re
from timeit import repeat

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statuspage.domain.address import (
    AddressError,
    normalise_email,
    normalise_iccid,
    normalise_msisdn,
    normalise_url,
)

REGIONS = ("RU", "CN", "KZ", "BY", "UA", "GB", "DE", "FR", "IT", "US", "BR", "IN", "AU", "JP", "AR", "MX", "ID", "CO")


def mobile_numbers(region: str) -> st.SearchStrategy[str]:
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    assert metadata is not None
    assert metadata.mobile is not None
    pattern = str(metadata.mobile.national_number_pattern).replace(r"\d", "[0-9]")
    country = str(metadata.country_code)
    prefixes = st.sampled_from(["+" + country, country, metadata.national_prefix or "", ""])
    return st.tuples(prefixes, st.from_regex(re.compile(pattern), fullmatch=True)).map("".join)


def by_library(text: str, region: str) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


@given(st.data(), st.sampled_from(REGIONS))
def test_the_fast_path_agrees_with_the_library(data: st.DataObject, region: str) -> None:
    """However a mobile number of the region is written, the fast path answers what phonenumbers answers."""
    text = data.draw(mobile_numbers(region))
    assert normalise_msisdn_or_none(text, region) == by_library(text, region)


@given(st.text("+0123456789 -()", max_size=18), st.sampled_from(REGIONS))
def test_any_digits_agree_with_the_library(text: str, region: str) -> None:
    """What we accept, the library accepts in the same form."""
    ours = normalise_msisdn_or_none(text, region)
    if ours is not None:
        assert ours == by_library(text, region)


def normalise_msisdn_or_none(text: str, region: str | None) -> str | None:
    try:
        return normalise_msisdn(text, region)
    except AddressError:
        return None


@pytest.mark.parametrize(
    "written",
    [
        "+79161234567",
        "79161234567",
        "89161234567",
        "9161234567",
        "8 (916) 123-45-67",
        "+7 916 123‑45‑67",
        "+7\u00a0916 1234567",
    ],
)
def test_one_number_has_one_form(written: str) -> None:
    """All the ways in which Russians write one number are one E.164 number."""
    assert normalise_msisdn(written, "RU") == "+79161234567"


@pytest.mark.parametrize(
    ("text", "region", "code"),
    [
        ("", "RU", "address.empty"),
        ("9161234567", None, "address.no_country"),
        ("+999123456789", "RU", "address.no_country"),
        ("12345", "RU", "address.not_a_number"),
        ("+7916123456", "RU", "address.not_a_number"),
        ("+7 916 CALLNOW", "RU", "address.not_a_number"),
        ("call +79161234567", "RU", "address.not_a_number"),
        ("+79161234567 ext 5", "RU", "address.not_a_number"),
        ("=HYPERLINK(1)", "RU", "address.not_a_number"),
        ("+79161234567\x00", "RU", "address.not_a_number"),
        ("+79161234567\n", "RU", "address.not_a_number"),
        ("+7" + "9" * 100, "RU", "address.too_long"),
        ("+79161234567", "XX", "address.no_country"),
    ],
)
def test_what_is_no_number_is_refused_without_repeating_it(text: str, region: str | None, code: str) -> None:
    """Each refusal has its code, and its message never holds the number."""
    with pytest.raises(AddressError) as refused:
        normalise_msisdn(text, region)
    assert refused.value.code == code
    assert "916" not in refused.value.message


def test_the_fast_path_is_fast() -> None:
    """A number of the default region costs a small part of what the library costs, in the same run."""
    fast = min(repeat(lambda: normalise_msisdn("+79161234567", "RU"), number=2000, repeat=5))
    slow = min(repeat(lambda: by_library("+79161234567", "RU"), number=200, repeat=5)) * 10
    assert fast < slow / 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Anna.Petrova@Example.RU", "anna.petrova@example.ru"),
        (" a+b@example.com ", "a+b@example.com"),
        ("info@почта.рф", "info@xn--80a1acny.xn--p1ai"),
        ("o'neil@example.com", "o'neil@example.com"),
    ],
)
def test_mail_addresses_are_lowered_and_their_domain_is_ascii(text: str, expected: str) -> None:
    """One person has one address however it was typed."""
    assert normalise_email(text) == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "address.empty"),
        ("anna", "address.not_an_email"),
        ("anna@", "address.not_an_email"),
        ("a..b@example.com", "address.not_an_email"),
        ("a@b@example.com", "address.not_an_email"),
        ("anna@example", "address.not_an_email"),
        ("anna@shop.test", "address.not_an_email"),
        ("anna@-example.com", "address.not_an_email"),
        ("anna@example.com\r\nBcc: x@example.com", "address.not_an_email"),
        ("анна@example.com", "address.not_ascii"),
        ("a" * 65 + "@example.com", "address.not_an_email"),
        ("a" * 300 + "@example.com", "address.too_long"),
    ],
)
def test_what_is_no_mail_address_is_refused_without_repeating_it(text: str, code: str) -> None:
    """Each refusal has its code, and its message never holds the address."""
    with pytest.raises(AddressError) as refused:
        normalise_email(text)
    assert refused.value.code == code
    assert "example.com" not in refused.value.message


labels = st.from_regex(r"[a-z0-9-]{1,12}", fullmatch=True)


local_parts = st.text("abc0_.+-", min_size=1, max_size=70)


@given(local_parts, st.lists(labels, min_size=1, max_size=3), st.text("abcz", max_size=4))
def test_the_fast_path_for_mail_agrees_with_the_library(local: str, domain: list[str], top: str) -> None:
    """What the pattern accepts, email-validator accepts, and answers the same."""
    from email_validator import EmailNotValidError, validate_email

    text = f"{local}@{'.'.join([*domain, top])}"
    try:
        ours: str | None = normalise_email(text)
    except AddressError:
        ours = None
    try:
        theirs: str | None = validate_email(text, check_deliverability=False, strict=True).ascii_email
    except EmailNotValidError:
        theirs = None
    assert ours == theirs


def luhn(digits: str) -> int:
    """The textbook: double every second digit from the right, add the digits of all."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value // 10 + value % 10
    return total % 10


@given(st.from_regex(r"89[0-9]{17,18}", fullmatch=True))
def test_the_check_digit_of_a_sim(digits: str) -> None:
    """An ICCID is accepted exactly when the textbook's Luhn sum ends in zero."""
    if luhn(digits) == 0:
        assert normalise_iccid(digits) == digits
    else:
        with pytest.raises(AddressError) as refused:
            normalise_iccid(digits)
        assert refused.value.code == "address.bad_check_digit"


def test_sims_as_they_are_printed() -> None:
    """Spaces and the filler of a 19-digit number are dropped; other digits are refused."""
    assert luhn("8970101000000000004") == 0
    assert normalise_iccid("8970 1010-0000 0000 004F") == "8970101000000000004"
    for text in ("", "123", "7970101000000000004", "89701010000000000x7", "８９70101000000000007"):
        with pytest.raises(AddressError):
            normalise_iccid(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://Pay.Example.COM", "https://pay.example.com"),
        ("https://example.com:443/a b".replace(" ", "%20"), "https://example.com/a%20b"),
        ("https://example.com:8443/оплата?x=1", "https://example.com:8443/%D0%BE%D0%BF%D0%BB%D0%B0%D1%82%D0%B0?x=1"),
        ("https://почта.рф/", "https://xn--80a1acny.xn--p1ai/"),
    ],
)
def test_addresses_of_pages(text: str, expected: str) -> None:
    """Hosts are lowered and ASCII, paths are percent-encoded once."""
    assert normalise_url(text) == expected
    assert normalise_url(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "http://example.com", "javascript:alert(1)", "https://user@example.com", "https://example", "https://1.2.3.4:99999/",
        "https://example.com/\r\nx", "https://exa mple.com", "//example.com", "https://", "https://example.com\\@evil.com",
        "https://example.com/\u202e",
    ],
)  # fmt: skip
def test_what_customers_are_never_sent_to(text: str) -> None:
    """Only https, a real host, no name before it, no invisible characters."""
    with pytest.raises(AddressError) as refused:
        normalise_url(text)
    assert refused.value.code == "address.not_a_url"


def test_only_the_operators_own_domains() -> None:
    """A look-alike that merely ends in the same letters is foreign."""
    assert normalise_url("https://pay.example.com/x", ("example.com",)) == "https://pay.example.com/x"
    for text in ("https://evil-example.com", "https://example.com.evil.org"):
        with pytest.raises(AddressError) as refused:
            normalise_url(text, ("example.com",))
        assert refused.value.code == "address.foreign_domain"
