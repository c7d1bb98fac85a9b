from __future__ import annotations

import argparse

import pytest

from notifiers.standins.chance import Chance, faults


def test_lots_depend_on_seed_and_message_alone() -> None:
    """The same seed strikes the same messages in any order, at about the rate that was asked for."""
    names = [str(number) for number in range(2000)]
    one, same, other = (Chance(seed, {"reset": 0.1}) for seed in (1, 1, 2))
    struck = {name for name in names if one.strikes("reset", name)}
    assert struck == {name for name in reversed(names) if same.strikes("reset", name)}
    assert struck != {name for name in names if other.strikes("reset", name)}
    assert 150 < len(struck) < 250
    assert not any(one.strikes("busy", name) for name in names)


def test_rates_are_read_from_the_command_line() -> None:
    """A fault without a rate always strikes."""
    assert faults("busy=0.25, reset", frozenset({"busy", "reset"})) == {"busy": 0.25, "reset": 1.0}
    assert faults("", frozenset()) == {}


@pytest.mark.parametrize("text", ["bussy=0.1", "busy=2", "busy=-1"])
def test_a_misspelt_fault_is_refused(text: str) -> None:
    """A typing error does not make a test quietly harmless."""
    with pytest.raises(argparse.ArgumentTypeError, match="bus"):
        faults(text, frozenset({"busy"}))
