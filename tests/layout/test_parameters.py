"""A request's parameters: types, defaults, enums, patterns, and all problems at once."""

import math
import sys

import pytest

from provision.layout.errors import LayoutError, ParameterError
from provision.layout.model import JsonValue, Layout, Parameter
from provision.layout.parameters import validate_parameters
from provision.layout.reader import read

LAYOUT = Layout(
    "sample",
    parameters=(
        Parameter("site", "string", required=True, pattern="^[a-z]+$"),
        Parameter("port", "integer", default=1883),
        Parameter("ratio", "number"),
        Parameter("tls", "boolean", default=False),
        Parameter("size", "string", enum=("small", "large")),
        Parameter("level", "integer", enum=(1, 2)),
    ),
)


def test_defaults_fill_what_is_not_given_and_the_rest_stays_absent() -> None:
    assert validate_parameters(LAYOUT, {"site": "berlin"}) == {
        "site": "berlin",
        "port": 1883,
        "tls": False,
    }


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("port", 8883, 8883),
        ("port", 8883.0, 8883),
        ("ratio", 1, 1),
        ("ratio", 0.5, 0.5),
        ("tls", True, True),
        ("size", "small", "small"),
        ("level", 2, 2),
        ("site", "a" * 4096, "a" * 4096),
        ("port", 2**63 - 1, 2**63 - 1),
        ("port", -(2**63), -(2**63)),
        ("ratio", -sys.float_info.max, -sys.float_info.max),
    ],
)
def test_fitting_values_are_kept(name: str, value: JsonValue, kept: JsonValue) -> None:
    result = validate_parameters(LAYOUT, {"site": "a", name: value})[name]
    assert result == kept
    assert type(result) is type(kept)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("site", "Berlin", "must match the pattern ^[a-z]+$"),
        ("site", 5, "must be a string, not 5"),
        ("site", None, "must be a string, not null"),
        ("site", "a" * 4097, "has 4,097 characters; at most 4,096"),
        ("port", "1883", "must be an integer, not a string"),
        ("port", 1.5, "must be an integer, not 1.5"),
        ("port", True, "must be an integer, not a boolean"),
        ("port", 2**63, f"must be an integer, not {2**63}"),
        ("ratio", math.inf, "must be a number, not inf"),
        ("ratio", math.nan, "must be a number, not nan"),
        ("port", -(2**63) - 1, f"must be an integer, not {-(2**63) - 1}"),
        ("port", None, "must be an integer, not null"),
        ("ratio", True, "must be a number, not a boolean"),
        ("ratio", 10**400, f"must be a number, not {10**400}"),
        ("ratio", [], "must be a number, not an array"),
        ("tls", 1, "must be a boolean, not 1"),
        ("tls", {}, "must be a boolean, not an object"),
        ("size", "medium", "must be one of small, large"),
        ("level", True, "must be an integer, not a boolean"),
    ],
)
def test_other_values_are_refused(name: str, value: JsonValue, message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        validate_parameters(LAYOUT, {"site": "a", name: value})
    [problem] = caught.value.problems
    assert (problem.field, problem.message) == (f"parameters.{name}", message)


def test_all_problems_come_at_once_with_what_is_allowed() -> None:
    with pytest.raises(ParameterError) as caught:
        validate_parameters(LAYOUT, {"prot": 1, "size": "medium"})
    error = caught.value
    assert (error.status, error.code) == (400, "parameters_invalid")
    assert [(problem.field, problem.suggestion, problem.allowed) for problem in error.problems] == [
        ("parameters.prot", "port", ("site", "port", "ratio", "tls", "size", "level")),
        ("parameters.site", "", ()),
        ("parameters.size", "", ("small", "large")),
    ]
    assert 'parameters do not fit layout "sample"' in str(error)
    assert "parameters.site: is required, of type string" in str(error)


def test_truth_is_written_as_in_the_file() -> None:
    layout = Layout("s", parameters=(Parameter("on", "boolean", required=True, enum=(True,)),))
    for given in ({}, {"on": False}):
        with pytest.raises(ParameterError) as caught:
            validate_parameters(layout, given)
        assert caught.value.problems[0].allowed == ("true",)
    assert caught.value.problems[0].message == "must be one of true"


@pytest.mark.parametrize(
    ("line", "more", "rule"),
    [
        ('default = "abc"', "", "secret-in-clear"),
        ('enum = ["abc"]', "", "secret-in-clear"),
        ('type = "integer"', "", "secret-type"),
        ("", 'metadata = { token = "{{ .Vars.token }}" }', "secret-shown"),
        ("", 'tags = ["{{ index .Vars \\"token\\" }}"]', "secret-shown"),
    ],
)
def test_a_layout_that_would_show_a_secret_is_refused(line: str, more: str, rule: str) -> None:
    text = f"""
[layout]
name = "shows"

[parameters.token]
secret = true
{line}

[[clients]]
key = "agent"
name = "agent"
{more}
"""
    with pytest.raises(LayoutError) as caught:
        read(text, file="shows.toml")
    assert [problem.rule for problem in caught.value.problems] == [rule]
