"""JSON, YAML and TOML: taken as what they are, converted as the Go service does, and bounded."""

from __future__ import annotations

import contextlib
import json
import tomllib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bootstrap_core.formats.structured import MAX_SIZE, ContentError, fit
from bootstrap_core.formats.toml import TOMLError, write_toml
from bootstrap_core.formats.yaml import YAMLError, read_yaml, write_yaml
from tests.gotemplate.work import MOST, calls

keys = st.text(min_size=0, max_size=8)
scalars = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(
        ["yes", "No", "on", "1e3", "0o7", "12:30:45", "2020-01-01", "~", "", "=", "<<"]
    )
)
documents = st.dictionaries(
    keys,
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
        max_leaves=12,
    ),
    max_size=4,
)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("TRUE", True),
        ("~", None),
        ("", None),
        ("010", 8),
        ("0o10", 8),
        ("0x1F", 31),
        ("0b11", 3),
        ("1_000", 1000),
        ("+5", 5),
        ("08", 8.0),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("12:30:45", "12:30:45"),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("-.inf", float("-inf")),
        ("2020-1-2", datetime(2020, 1, 2, tzinfo=UTC)),
        ("2020-01-02 3:04:05.5", datetime(2020, 1, 2, 3, 4, 5, 500000, tzinfo=UTC)),
        (
            "2020-01-02T03:04:05+02:00",
            datetime(2020, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))),
        ),
        ("2020-13-01", "2020-13-01"),
        ("!!str 12", "12"),
        ("!!int '3'", 3),
        ("!!float 3", 3.0),
        ("'yes'", "yes"),
    ],
)
def test_words_of_yaml_mean_what_they_mean_to_go(word: str, value: Any) -> None:
    read = read_yaml(f"a: {word}").value["a"]
    assert (type(read), read) == (type(value), value)


def test_merges_and_aliases() -> None:
    text = "base: &b {p: 1, q: 2}\nc: {<<: *b, p: 3}\nd: {<<: [*b, {r: 4}]}\ne: *b"
    assert read_yaml(text).value == {
        "base": {"p": 1, "q": 2},
        "c": {"p": 3, "q": 2},
        "d": {"p": 1, "q": 2, "r": 4},
        "e": {"p": 1, "q": 2},
    }


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("a: 1\nb: 2\na: 3", "the key 'a' stands twice", 3),
        ("a: *x", "the alias \\*x has no anchor", 1),
        ("a: &x [*x]", "the alias \\*x stands inside of what it names", 1),
        ("b: &x 1\na: &x [*x]", "the alias \\*x stands inside of what it names", 2),
        ("{.nan: a, .nan: b}", "stands twice", 1),
        ("a: 1\nb: !secret x", "the tag !secret means something to YAML alone", 2),
        ("a: !!str {x: 1}", "not a value for !!str", 1),
        ("a: !!map x", "not a value for !!map", 1),
        ("a: !!binary '***'", "no base 64", 1),
        ("a: !!binary /w==", "no text in UTF-8", 1),
        ("a:\n  [1 // one\n ]", "'// one' is no comment", 2),
        ("? [a]\n: 1", "keys must be text", 1),
        ("<<: 1", "<< needs a mapping", 1),
        ("a: [", "did not find", 1),
        ("a: !!int x", "not a value for !!int", 1),
        ("a: \x01", "control characters", 0),
        ("- " * 200 + "a", "nested deeper than 100", 1),
    ],
)
def test_what_is_wrong_with_yaml(text: str, message: str, line: int) -> None:
    with pytest.raises(YAMLError, match=message) as caught:
        read_yaml(text)
    assert caught.value.line in {line, line + 1}


@settings(max_examples=150, deadline=None)
@given(documents)
@example({"a": "...\n"})
@pytest.mark.slow
def test_yaml_that_is_written_reads_the_same_in_both_versions(document: dict[str, Any]) -> None:
    text = write_yaml(document)
    assert read_yaml(text).value == document
    assert yaml.safe_load(text) == document


@settings(max_examples=150, deadline=None)
@given(documents)
@pytest.mark.slow
def test_toml_that_is_written_reads_the_same(document: dict[str, Any]) -> None:
    assert tomllib.loads(write_toml(document)) == document


def test_toml_as_go_writes_it() -> None:
    document = {
        "z": 1,
        "a": {"b": {"c": True}, "n": None, "s": "it's"},
        "list": [{"x": [1, {"k": "v"}]}, {}],
        "a key": 'quote"d',
        "none": None,
        "t": datetime(2001, 12, 14, 21, 59, 43, 100000, tzinfo=timezone(timedelta(hours=-5))),
    }
    assert write_toml(document) == (
        "'a key' = 'quote\"d'\n"
        "t = 2001-12-14T21:59:43.1-05:00\n"
        "z = 1\n"
        "\n"
        "[a]\n"
        's = "it\'s"\n'
        "\n"
        "[a.b]\n"
        "c = true\n"
        "\n"
        "[[list]]\n"
        "x = [1, {k = 'v'}]\n"
        "\n"
        "[[list]]\n"
    )


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"a": {"b": [1, None]}}, "a.b: null in an array"),
        ({"a": 2**64}, "no 64-bit integer"),
        ({None: 1}, "a key is neither text nor a number"),
    ],
)
def test_what_toml_cannot_hold(document: dict[Any, Any], message: str) -> None:
    with pytest.raises(TOMLError, match=message):
        write_toml(document)


@pytest.mark.parametrize(
    ("text", "content_format", "result"),
    [
        (" ", "json", "null"),
        ("just text", "json", '"just text"'),
        ("just text", "yaml", "just text\n"),
        ("", "yaml", "null\n"),
        ("", "toml", ""),
        ("[1,2]", "yaml", "[1,2]"),
        ('{"a": "x"}', "yaml", '{"a": "x"}'),
        ('{"tab":\t1}', "yaml", '{"tab":\t1}'),
        ("- 1\n--- 2\n", "yaml", "- 1\n--- 2\n"),
        ("a: 2.0", "json", '{\n  "a": 2\n}'),
        ('{"a": 1e400}', "json", '{"a": 1e400}'),
    ],
)
def test_odd_texts(text: str, content_format: str, result: str) -> None:
    assert fit(text, content_format) == result


@pytest.mark.parametrize(
    ("text", "content_format", "message"),
    [
        ("1: a", "json", "the key 1 is not text"),
        ("{true: a}", "json", "the key true is not text"),
        ("{~: a}", "toml", "the key null is neither text nor a number"),
        ("[.inf]", "json", "no JSON can be made of it"),
        ("just text", "toml", "line 1"),
        ("[1, 2]", "toml", "line 1"),
        ('{"a": [null]}', "toml", "null in an array"),
        ("a = 1\na = 2", "toml", "Cannot overwrite a value"),
        ("x" * (MAX_SIZE + 1), "yaml", "at most"),
        ("[" * 100_000, "json", "nested too deeply"),
        ("a = " + "[" * 100_000, "toml", "nested too deeply"),
        ("x" + ".x" * 500 + " = 1", "toml", "a dotted key of more than 100 parts"),
    ],
)
def test_what_is_refused(text: str, content_format: str, message: str) -> None:
    with pytest.raises(ContentError, match=message):
        fit(text, content_format)


def growing(line: str, start: str) -> str:
    """Return nine lines, each of which names the one before ten times."""
    lines = [
        line.replace("#", str(i + 1)).replace("*", ", ".join([f"*b{i}"] * 10)) for i in range(9)
    ]
    return "\n".join([start, *lines])


BOMBS = {
    "aliases": growing("b#: &b# [*]", "b0: &b0 [x]"),
    "merges": growing("b#: &b# {<<: [*]}", "b0: &b0 {k: v}"),
    "long texts": "a: &a " + "x" * 100_000 + "\nb: [" + "*a, " * 40_000 + "]",
    "brackets": "[" * 200_000,
    "braces": "{a: " * 50_000,
    "dashes": "- " * 100_000,
    "keys": "? " * 100_000,
    "dots": "a." * 100_000 + "a = 1",
    "quoted dots": '"a b".' * 30_000 + "a = 1",
    "inline dots": "a = {" + "b." * 100_000 + "b = 1}",
    "digits": "a: " + "9" * 200_000,
    "anchors": "&a " * 60_000 + "b",
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("content_format", ["json", "yaml", "toml"])
def test_no_text_takes_long(name: str, content_format: str) -> None:
    def attempt() -> None:
        with contextlib.suppress(ContentError):
            fit(BOMBS[name], content_format)

    assert calls(attempt) < 4 * MOST


@pytest.mark.parametrize(
    ("text", "value"),
    [("\t1", 1), ('{\n\t"a": "b\\tc"\n}', {"a": "b\tc"}), ("[\t]", [])],
)
def test_json_indented_with_tabs_is_yaml_afterwards(text: str, value: object) -> None:
    assert read_yaml(fit(text, "yaml")).value == value


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab:-[]{}\",'\n #&*!|>=.\\1\t", max_size=40), st.sampled_from("jyt"))
def test_any_text_is_taken_or_refused(text: str, kind: str) -> None:
    content_format = {"j": "json", "y": "yaml", "t": "toml"}[kind]
    try:
        result = fit(text, content_format)
    except ContentError:
        return
    if kind == "j":
        json.loads(result)
    elif kind == "t":
        tomllib.loads(result)
    else:
        assert read_yaml(result, keep_tags=True) is not None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a = 1 // one\n", "line 1, column 7"),
        ("[s]\na = 'x' // one\nb = 2", "line 2, column 9"),
        ("// one\na = 1", "line 1, column 1"),
        ("a = [\n  1, /* one */\n  2,\n]", "line 2, column 6"),
    ],
)
def test_the_comments_of_other_languages_are_told_with_that_of_toml(text: str, place: str) -> None:
    with pytest.raises(ContentError) as refused:
        fit(text, "toml")
    assert "begins no comment in TOML; a comment begins with #" in str(refused.value)
    assert place in str(refused.value)


def test_two_slashes_within_a_text_are_no_comment() -> None:
    text = 'url = "tcp://broker//1" # one\n'
    assert fit(text, "toml") == text
