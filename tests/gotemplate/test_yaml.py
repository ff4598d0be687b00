"""YAML as Go's yaml.v3 reads it, and written so that no two readers differ.

``go.jsonl`` holds texts with the JSON of the value that yaml.v3 3.0.1 made of them, or its error.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from bootstrap_core.formats.structured import ContentError, fit
from bootstrap_core.formats.yaml import read_yaml

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "yaml" / "go.jsonl").read_text().splitlines()
]


class CoreLoader(yaml.SafeLoader):
    """A reader with the core schema of YAML 1.2."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


def core(tag: str, pattern: str) -> None:
    CoreLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{tag}", re.compile(f"(?:{pattern})$"), None
    )


core("null", "null|Null|NULL|~|")
core("bool", "true|True|TRUE|false|False|FALSE")
core("int", "[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
core(
    "float",
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
)
CoreLoader.add_constructor(
    "tag:yaml.org,2002:int",
    lambda loader, node: int(node.value, 10 if node.value.lstrip("-+").isdigit() else 0),
)


@pytest.mark.parametrize("case", CASES, ids=[case["text"] for case in CASES])
def test_yaml_means_what_it_means_to_go(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(ContentError):
            fit(case["text"], "json")
    else:
        assert json.loads(fit(case["text"], "json")) == case["value"]


@pytest.mark.parametrize(
    "text",
    [
        case["text"]
        for case in CASES
        if "value" in case
        and not any(part in case["text"] for part in ("\n---", "!!set", "!!omap"))
    ],
)
def test_a_device_reads_the_same_with_every_reader(text: str) -> None:
    given = fit(text, "yaml")
    wanted = read_yaml(text).value
    assert yaml.load(given, Loader=yaml.CSafeLoader) == wanted
    if "T" not in given and "\t" not in given:
        loader = CoreLoader(given)
        assert loader.get_single_data() == wanted


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("mode: 0644\nbaud: 115_200\nmask: 0b1010\n", "mode: 420\nbaud: 115200\nmask: 10\n"),
        ("x: 1\ny: 2\n", 'x: 1\n"y": 2\n'),
        ("a: &x 1\nb: &x 2\nc: *x\n", "a: 1\nb: 2\nc: 2\n"),
        ("a: &x {k: 1}\nb: {<<: *x}\n", "a:\n    k: 1\nb:\n    k: 1\n"),
        ("a: !!binary aGVsbG8=\n", "a: hello\n"),
        ("{1: a, 1.0: b, true: c, d: on}", '1: a\n1.0: b\ntrue: c\nd: "on"\n'),
    ],
)
def test_what_readers_take_differently_is_written_anew(text: str, given: str) -> None:
    assert fit(text, "yaml") == given
    assert fit(given, "yaml") == given


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("a: !secret x # kept\n", "a: !secret x # kept\n"),
        ("a: !secret x\nb: off\n", 'a: !secret x\nb: "off"\n'),
        ("a: !secret 010\nb: off\n", 'a: !secret 010\nb: "off"\n'),
        ("a: !Join\n- x\n- [off]\n", 'a: !Join\n- x\n-   - "off"\n'),
        ("a: !Map {k: !secret z}\nb: off\n", 'a: !Map\n    k: !secret z\nb: "off"\n'),
        ("a: !!set {x}\nb: off\n", 'a: !!set\n    x: null\nb: "off"\n'),
        ("a: !!binary /w==\n", "a: !!binary |\n    /w==\n"),
    ],
)
def test_tags_reach_the_device(text: str, given: str) -> None:
    assert fit(text, "yaml") == given


@pytest.mark.parametrize("content_format", ["json", "toml"])
@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("a: 1\nb: !secret x\n", "the tag !secret means something to YAML alone", 2),
        ("a: !!binary /w==\n", "no text in UTF-8", 1),
        ('{"port": 1883 // note\n}', "'// note' is no comment in JSON or YAML", 1),
        ('{\n  /* one */ "port": 1883}', "is no comment in JSON or YAML", 2),
        ("// note\n[1, 2]", "is no comment in JSON or YAML|begins no comment in TOML", 1),
    ],
)
def test_what_yaml_alone_or_no_format_knows_is_refused_with_its_line(
    content_format: str, text: str, message: str, line: int
) -> None:
    with pytest.raises(ContentError, match=message) as caught:
        fit(text, content_format)
    assert caught.value.line == line


def test_addresses_between_brackets_are_no_comments() -> None:
    assert json.loads(fit("{url: http://broker/x, path: a//b}", "json")) == {
        "url": "http://broker/x",
        "path": "a//b",
    }
