"""Durations as Go's time.ParseDuration reads them."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.layout.model import parse_duration, parse_lifetime, parse_overlap


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("2400h", 2400 * 3600),
        ("1h30m", 5400),
        ("1.5h", 5400),
        (".5h", 1800),
        ("1.h", 3600),
        ("+5s", 5),
        ("-1m", -60),
        ("1s500ms", Fraction(3, 2)),
        ("1us", Fraction(1, 10**6)),
        ("1µs1μs", Fraction(2, 10**6)),
        ("100ns", Fraction(1, 10**7)),
    ],
)
def test_what_go_reads(text: str, seconds: Fraction | int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "h", "1 h", "1d", "1h ", ".h", "--1h", "1h-1m", "٣h"])
def test_what_go_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@given(st.integers(0, 2_000_000), st.integers(0, 59), st.integers(0, 59))
def test_hours_minutes_and_seconds_add_up(hours: int, minutes: int, seconds: int) -> None:
    text = f"{hours}h{minutes}m{seconds}s"
    assert parse_duration(text) == hours * 3600 + minutes * 60 + seconds


def test_a_lifetime_is_whole_seconds() -> None:
    assert parse_lifetime("1.9s") == 1


@pytest.mark.parametrize("text", ["0", "999ms", "-1h"])
def test_a_lifetime_is_at_least_a_second(text: str) -> None:
    with pytest.raises(ValueError, match='is too short: at least "1s"'):
        parse_lifetime(text)
    assert parse_lifetime("1s") == 1


def test_an_overlap_is_nothing_or_more() -> None:
    assert [parse_overlap(text) for text in ("0", "0s", "1.9s", "2h")] == [0, 0, 1, 7200]
    with pytest.raises(ValueError, match="is negative"):
        parse_overlap("-1s")


def test_a_duration_fits_gos() -> None:
    longest = "9223372036854775807ns"
    assert parse_duration(longest) == Fraction(2**63 - 1, 10**9)
    with pytest.raises(ValueError, match="longer than the 292 years"):
        parse_duration(longest + "1ns")
