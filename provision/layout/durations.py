"""Durations in Go's syntax: ``2400h``, ``1h30m``, ``1.5h``.

Source: Go's ``time.ParseDuration``.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

_UNITS: Final = {
    "ns": Fraction(1, 10**9),
    "us": Fraction(1, 10**6),
    "µs": Fraction(1, 10**6),
    "μs": Fraction(1, 10**6),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
}
_TERM: Final = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_MAX_SECONDS: Final = Fraction(2**63 - 1, 10**9)


def parse_duration(text: str) -> Fraction:
    """Return the duration in seconds. Raises ``ValueError`` for what Go refuses."""
    body = text[1:] if text[:1] in {"+", "-"} else text
    if body == "0":
        return Fraction(0)
    seconds = Fraction(0)
    at = 0
    while term := _TERM.match(body, at):
        seconds += Fraction(term[1].rstrip(".") or "0") * _UNITS[term[2]]
        at = term.end()
    if at == 0 or at != len(body):
        raise ValueError(f'"{text}" is not a duration such as "2400h" or "1h30m"')
    if seconds > _MAX_SECONDS:
        raise ValueError(f'"{text}" is longer than the 292 years that fit a duration')
    return -seconds if text.startswith("-") else seconds


def parse_overlap(text: str) -> int:
    """Return a duration of nothing or more in whole seconds. Raises ``ValueError``."""
    seconds = parse_duration(text)
    if seconds < 0:
        raise ValueError(f'"{text}" is less than nothing: at least "0s"')
    return int(seconds)


def parse_lifetime(text: str) -> int:
    """Return a duration of at least one second in whole seconds. Raises ``ValueError``."""
    seconds = parse_duration(text)
    if seconds < 1:
        raise ValueError(f'"{text}" is too short: at least "1s"')
    return int(seconds)
