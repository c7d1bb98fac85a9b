from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from notifiers.verp import Verp
from tests.notifiers.letters import VERP

IDS = st.integers(0, 2**63 - 1)
ATTEMPTS = st.integers(0, 999_999_999)


@given(IDS, ATTEMPTS)
def test_reads_what_it_signed_in_any_case(delivery: int, attempt: int) -> None:
    """Relays may change the case; the local part stays within 64 octets."""
    sender = VERP.sender(delivery, attempt)
    assert VERP.read_sender(sender.upper()) == (delivery, attempt)
    assert VERP.read_message_id(f"<{VERP.message_id(delivery).upper()}>") == (delivery, None)
    assert len(sender.partition("@")[0]) <= 64


@given(IDS, ATTEMPTS)
def test_nobody_else_can_sign(delivery: int, attempt: int) -> None:
    """Another key, another delivery or another attempt makes the address worthless."""
    sender = VERP.sender(delivery, attempt)
    assert Verp("another key of more than thirty-two letters", "news.demo.example").read_sender(sender) is None
    tag = sender.partition("@")[0].rpartition(".")[2]
    assert VERP.read_sender(f"bounce+{delivery + 1}.{attempt}.{tag}@news.demo.example") is None
    assert VERP.read_sender(f"bounce+{delivery}.{attempt + 1}.{tag}@news.demo.example") is None
    assert VERP.read_message_id(f"d{delivery}.{tag}@news.demo.example") is None


def test_finds_the_authentic_one_among_strangers() -> None:
    """A forged address before the true one does not hide it."""
    forged = "bounce+1.1." + "0" * 20 + "@x.example"
    assert VERP.read_sender(f"{forged}, {VERP.sender(5, 1)}") == (5, 1)
