"""Patterns of parameters: what RE2 takes, what it refuses and what to use instead."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.layout.parameters import MAX_PATTERN, PatternError, compile_pattern, matches

WATCHED = pytest.mark.timeout(30)
"""Watches over what would go on for ever if it backtracked."""


@WATCHED
@pytest.mark.parametrize(
    "pattern", ["^(a+)+$", "^(a|a)*$", "^(.*a){15}$", "(a*)*b", "^(a?){30}a{30}$"]
)
def test_what_backtracks_elsewhere_is_matched_at_once(pattern: str) -> None:
    assert not matches(f"^(?:{pattern})!$", "a" * 4096)


@WATCHED
@pytest.mark.parametrize(
    ("pattern", "instead"),
    [
        (r"^(?!test-)[a-z]+$", "list values in enum"),
        (r"(?<=a)b", "list values in enum"),
        (r"^(a+)-\1$", "two parameters"),
        (r"^(?P<word>a+)-(?P=word)$", "two parameters"),
        (r"^a++$", "leave that out"),
        (r"^(?>a)$", "leave that out"),
        (r"(?x) a", "leave it out"),
        (r"a\Z", r"write $ or \z"),
        (r"\u20ac", r"write \x{20AC}"),
        (r"a{,5}", "write {0,5}"),
        (r"a{1001}", "repeat less"),
        ("((((a{0,100}){0,100}){0,100}){0,100}){0,100}b", "repeat less"),
        (r"\pL{900}", "prefer . or [a-z]"),
        (r"[[a]", r"write \["),
        (r"\x{110000}", r"\x{110000} is no character: the last one is \x{10FFFF}"),
        (r"^[a-\x{FFFFFFFFFF}]$", r"the last one is \x{10FFFF}"),
        (r"a\x{20AC", r"in braces, as in \x{20AC} for U+20AC"),
        (r"\xZ1", "two hexadecimal digits"),
        (r"\C", "write . for any one"),
        ("a" * (MAX_PATTERN + 1), "at most 1,000"),
        ("(", "missing )"),
        ("[z-a]", "z-a"),
    ],
)
def test_what_is_not_taken_is_told_with_what_to_use_instead(pattern: str, instead: str) -> None:
    with pytest.raises(PatternError) as caught:
        compile_pattern(pattern)
    assert instead in str(caught.value)
    assert 0 <= caught.value.index <= len(pattern)


@pytest.mark.parametrize(
    ("pattern", "value", "fits"),
    [
        (r"^(mqtts?|tcp|ssl|wss?)://\S+$", "tcp://b:1", True),
        (r"^(mqtts?|tcp|ssl|wss?)://\S+$", "tcp://b 1", False),
        (r"^(mqtts?|tcp|ssl|wss?)://\S+$", "http://b", False),
        (r"^[1-9][0-9]*(s|m|h)$", "10s", True),
        (r"^[1-9][0-9]*(s|m|h)$", "010s", False),
        (r"^opc\.tcp://\S+$", "opc.tcp://h", True),
        (r"^opc\.tcp://\S+$", "opcXtcp://h", False),
        (r"^\d{4}$", "2026", True),
        (r"b", "abc", True),
        (r"[{,3}\]]", "]", True),
        (r"[[:alpha:]]", "1a", True),
        (r"^[\pL\pN_]+$", "Zürich_1", True),
        (r"^[a-z]+$", "abc\n", False),
        (r"^\x{2028}[\x{10000}-\x{10FFFF}]\x41$", "\u2028\U0001f4e1A", True),
    ],
)
def test_it_means_what_it_says(pattern: str, value: str, *, fits: bool) -> None:
    assert matches(pattern, value) is fits


ATOMS = st.sampled_from(["a", "b", "1", ".", "[ab]", "[^a]", r"\d", r"\w", r"\.", "(?:ab|b)"])
REPEATS = st.sampled_from(["", "*", "+", "?", "{2}", "{1,3}", "{2,}", "*?"])
PATTERNS = st.builds(
    lambda start, parts, end: start + "".join(map("".join, parts)) + end,
    st.sampled_from(["", "^"]),
    st.lists(st.tuples(ATOMS, REPEATS), max_size=5),
    st.sampled_from(["", "$"]),
)


@given(PATTERNS, st.text("ab1._-", max_size=12))
def test_what_both_take_means_the_same_as_in_python(pattern: str, text: str) -> None:
    assert matches(pattern, text) is bool(re.search(pattern, text))


@given(st.text(st.sampled_from(r"ab\[](){}*+?^$|.,:=!<>P1dZ-"), max_size=20))
def test_every_pattern_is_taken_or_refused_with_a_reason(pattern: str) -> None:
    refusal: PatternError | None = None
    try:
        compile_pattern(pattern)
    except PatternError as error:
        refusal = error
    assert refusal is None or (str(refusal) and 0 <= refusal.index <= len(pattern))
