"""The JSON Schema and the reader accept and refuse the same files, as far as a schema can say."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import tomli
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from provision.layout.errors import LayoutError, Problem
from provision.layout.json_schema import fragment_schema, layout_schema, parameters_schema
from provision.layout.model import Dialect
from provision.layout.parameters import ParameterError, validate_parameters
from provision.layout.reader import read
from tests.layout.samples import EVERYTHING, GO, OWN, layout_of

SHIPPED = Path(__file__).parents[2] / "layouts"
SAYABLE = {
    "unknown-key", "wrong-type", "missing-key", "too-few", "bad-value", "blank", "bad-text",
    "bad-name", "bad-duration", "binding-target", "profile-template", "two-profiles",
}  # fmt: skip
VALIDATOR = Draft202012Validator(layout_schema())
BASE = tomli.loads(EVERYTHING)
BASE["bootstrap"]["render_context"].pop("at")
PIECES = (
    "", " ", "x", "agent", "data", "enabled", "client", "{}", "ed25519", "1h30m", "10", "1.5h", "h",
    "publish", "a b", 0, 1, 1.5, True, [], ["x"], [""], [1], ["publish"], {}, {"x": 1},
    {"slot": "tls", "client": "agent"}, {"key": "agent", "name": "n"}, [{}], [{"name": "n"}],
)  # fmt: skip
NAMES = (
    "name", "key", "type", "slot", "client", "channel", "fields", "profile_id", "profile", "1x",
    "content_template", "content_template_file", "status", "sort", "required", "include",
)  # fmt: skip


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all parts of a document, itself excepted."""
    if not isinstance(value, dict | list):
        return []
    found = []
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        found += [(*at, key), *places(item, (*at, key))]
    return found


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A layout with a few changes anywhere."""
    document = copy.deepcopy(BASE)
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from([place for place in places(document) if place != ("layout",)]))
        parent: Any = document
        for part in path[:-1]:
            parent = parent[part]
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "replace":
                parent[path[-1]] = copy.deepcopy(draw(st.sampled_from(PIECES)))
            case "remove":
                del parent[path[-1]]
            case _ if isinstance(parent, dict):
                parent[draw(st.sampled_from(NAMES))] = copy.deepcopy(draw(st.sampled_from(PIECES)))
            case _:
                parent.append(copy.deepcopy(draw(st.sampled_from(PIECES))))
    return document


def problems(text: str) -> list[Problem]:
    try:
        read(text, file="sample.toml", load_template=lambda name: "{}")
    except LayoutError as error:
        return list(error.problems)
    return []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents())
@pytest.mark.slow
def test_schema_and_reader_agree_over_generated_files(document: dict[str, Any]) -> None:
    if not isinstance(document.get("layout"), dict):
        document["layout"] = {"name": "sample"}
    found = problems(tomli_w.dumps(document))
    refused = [
        problem
        for problem in found
        if problem.rule in SAYABLE and "at least" not in problem.message
    ]
    errors = [error.message for error in VALIDATOR.iter_errors(document)]
    few = [problem for problem in found if problem.rule == "too-few"]
    assert bool(errors) == bool(refused or few), (errors, [str(problem) for problem in found])


def test_what_the_reader_accepts_the_schema_accepts() -> None:
    for text in (OWN, EVERYTHING):
        assert list(VALIDATOR.iter_errors(json_types(tomli.loads(text)))) == []


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_the_shipped_layouts_fit_the_schema_of_their_dialect(file: Path) -> None:
    text = file.read_text()
    dialect = read(
        text, file=file.name, load_template=lambda name: (SHIPPED / name).read_text()
    ).layout.dialect
    validator = Draft202012Validator(layout_schema(dialect))
    assert list(validator.iter_errors(tomli.loads(text))) == []


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("fragments/*.toml")), ids=lambda p: p.stem)
def test_the_shipped_fragments_fit_theirs(file: Path) -> None:
    validator = Draft202012Validator(fragment_schema())
    fragment = tomli.loads(file.read_text())
    assert list(validator.iter_errors(fragment)) == []
    for wrong in ({"layout": {"name": "x"}}, {"clients": [{"key": "x"}]}, {"chanels": []}):
        assert list(validator.iter_errors(fragment | wrong))


def test_a_layout_may_have_its_clients_and_its_profiles_name_from_a_fragment() -> None:
    including = {
        "layout": {"include": ["fragments/agent.toml"]},
        "profile": {"content_format": "json"},
    }
    assert list(VALIDATOR.iter_errors(including)) == []
    alone = [error.json_path for error in VALIDATOR.iter_errors(including | {"layout": {}})]
    assert set(alone) == {"$", "$.profile"}
    assert list(VALIDATOR.iter_errors(including | {"layout": {"include": []}}))


@pytest.mark.parametrize("dialect", Dialect)
def test_the_schema_is_a_schema(dialect: Dialect) -> None:
    Draft202012Validator.check_schema(layout_schema(dialect))


def test_the_old_dialects_have_schemas_that_refuse_unknown_keys() -> None:
    validator = Draft202012Validator(layout_schema(Dialect.MAGISTRALA))
    assert list(validator.iter_errors(tomli.loads(GO))) == []
    assert list(validator.iter_errors(tomli.loads(GO.replace("autowhite_list", "autowhitelist"))))


@pytest.mark.parametrize("wrong", ["soon", "-1h", "1h ", "1", "", "1d"])
def test_durations_are_refused_by_both(wrong: str) -> None:
    text = EVERYTHING.replace('"1h30m"', f'"{wrong}"')
    assert [problem.rule for problem in problems(text)] == ["bad-duration"]
    assert list(VALIDATOR.iter_errors(json_types(tomli.loads(text))))


@pytest.mark.parametrize(
    ("given_values", "fits"),
    [
        ({"site": "abc"}, True),
        ({"site": "abc", "port": 8883}, True),
        ({}, False),
        ({"site": "ABC"}, False),
        ({"site": "abc", "port": 1}, False),
        ({"site": "abc", "port": "1883"}, False),
        ({"site": "abc", "prot": 1883}, False),
    ],
)
def test_parameters_fit_their_schema_as_requests_do(
    given_values: dict[str, Any], fits: bool
) -> None:
    layout = layout_of(EVERYTHING)
    validator = Draft202012Validator(parameters_schema(layout))
    assert (not list(validator.iter_errors(given_values))) is fits
    if fits:
        validate_parameters(layout, given_values)
    else:
        with pytest.raises(ParameterError):
            validate_parameters(layout, given_values)


def json_types(document: dict[str, Any]) -> dict[str, Any]:
    """Return a TOML document with its times as texts, as editors see them."""
    document.get("bootstrap", {}).get("render_context", {}).pop("at", None)
    return document
