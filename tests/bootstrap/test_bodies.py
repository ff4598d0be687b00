"""A body is declared once: what is wrong with one is told at once, and its schema says the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, ClassVar

import pytest
from attrs import field, frozen
from jsonschema import Draft202012Validator

from bootstrap_core.bodies import (
    GIVEN,
    NOT_NULL,
    NOT_SENT,
    AlsoCalled,
    Body,
    Problem,
    described,
    named,
    refused,
)
from bootstrap_core.client_configs import ConfigConnections
from bootstrap_core.decoding import decode
from bootstrap_core.delivery.preview import DraftPreviewRequest
from bootstrap_core.enrollments import BindRequest
from bootstrap_core.errors import BootstrapError, Malformed, Unprocessable
from bootstrap_core.formats.documents import NotJson, read_json
from bootstrap_core.http.json_schema import object_schema, schemas_of
from bootstrap_core.secrets import Secret
from tests.bootstrap.world import World


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@frozen
class Slot:
    body: ClassVar[Body] = Body("Slot", known=())

    name: Annotated[str, GIVEN, described(minLength=1)]
    fields: Sequence[str] = ()


@frozen
class Thing:
    body: ClassVar[Body] = Body("Thing", known=("owner",))

    name: Annotated[str, GIVEN]
    key: Secret = Secret("")
    colour: Annotated[Colour, AlsoCalled("color")] = Colour.RED
    context: Mapping[str, Any] = field(factory=dict)
    slots: Sequence[Slot] = ()
    size: Annotated[int, NOT_NULL] = 0
    kept: Annotated[str, NOT_SENT] = "by the service"


@frozen
class Change:
    body: ClassVar[Body] = Body("Change", null_clears=True)

    name: str | None = None
    context: Mapping[str, Any] | None = None


@frozen
class Labels:
    labels: Mapping[str, str]


def problems(kind: type[Any], document: object) -> dict[str, str]:
    with pytest.raises(BootstrapError) as caught:
        decode(kind, document)
    details = caught.value.details
    if isinstance(details, dict):
        return {details["field"]: caught.value.message}
    return {each["field"]: each["message"] for each in details}


def test_all_problems_are_told_at_once_with_their_paths() -> None:
    document = {
        "nmae": "x",
        "key": 7,
        "colour": "rde",
        "context": {"a": [{"b": "\0"}]},
        "slots": [{"name": ""}, 3, {"name": "a", "fields": ["b", 5]}],
    }
    found = problems(Thing, document)
    assert "did you mean 'name'?" in found["nmae"]
    assert found["name"] == "is missing"
    assert found["key"] == "must be a text, not a number"
    assert "red, blue" in found["colour"]
    assert "not text" in found["context.a[0].b"]
    assert "is missing" in found["slots[0].name"]
    assert found["slots[1]"] == "must be an object, not a number"
    assert found["slots[2].fields[1]"] == "must be a text, not a number"


def test_what_is_not_sent_and_what_other_releases_send_changes_nothing() -> None:
    made = decode(Thing, {"name": "a", "kept": "by the caller", "owner": 7, "zzz": None})
    assert made.kept == "by the service"
    assert problems(Change, {"nmae": 1})["nmae"].startswith("nmae: unknown field, did you mean")
    assert problems(Change, {"x" * 60_000: 1}).keys() == {"x" * 64}


@pytest.mark.parametrize("name", ["colour", "color"])
def test_a_field_with_two_names_is_told_by_the_one_that_was_sent(name: str) -> None:
    assert decode(Thing, {"name": "a", name: "blue"}).colour is Colour.BLUE
    for value in ("green", [], {}):
        assert [*problems(Thing, {"name": "a", name: value})] == [name]
    assert [*problems(Thing, {"name": "a", "colour": "red", "color": "blue"})] == ["color"]


def test_null_is_not_given_or_clears() -> None:
    assert decode(Thing, {"name": "a", "slots": None}).slots == ()
    assert named(decode(Change, {"name": None, "context": None})) == {"name": "", "context": {}}
    assert named(decode(Change, {})) == {}
    assert [*problems(Thing, {"name": "a", "size": None})] == ["size"]


def test_of_very_many_problems_some_are_told() -> None:
    found = problems(Change, {f"unknown{number}": 1 for number in range(3000)})
    assert len(found) == 20


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        (BindRequest, {"bindings": [{"slto": 1}] * 3000}),
        (ConfigConnections, {"channels": [7] * 3000}),
        (Labels, {"labels": {f"label-{number}": 7 for number in range(3000)}}),
        (Change, {f"unknown{number}": 1 for number in range(3000)}),
    ],
)
def test_reading_stops_where_more_is_wrong_than_is_told(kind: type[Any], document: object) -> None:
    found: list[Problem] = []

    def refuse(problems: Sequence[Problem]) -> Exception:
        found.extend(problems)
        return refused(problems)

    with pytest.raises(Malformed, match=r"; and more$"):
        decode(kind, document, refuse)
    assert len(found) <= 21 * 4


def test_a_text_that_no_store_keeps_is_unprocessable_unless_more_is_wrong() -> None:
    with pytest.raises(Unprocessable):
        decode(Thing, {"name": "a\0"})
    with pytest.raises(Malformed):
        decode(Thing, {"name": "a\0", "key": 1})


def test_the_schema_says_what_the_decoder_takes() -> None:
    schema = {**object_schema(Thing), "components": {"schemas": schemas_of(Thing)}}
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    good = {"name": "a", "color": "blue", "slots": [{"name": "s"}]}
    assert validator.is_valid(good)
    assert decode(Thing, good)
    for bad in ({}, {"name": 1}, good | {"slots": [{"name": ""}]}, good | {"colour": "green"}):
        assert not validator.is_valid(bad)
        assert problems(Thing, bad)
    assert "kept" not in object_schema(Thing)["properties"]
    assert object_schema(Change)["additionalProperties"] is False
    assert set(schemas_of(Thing)) == {"Thing", "Slot"}


def test_the_schema_requires_some_fields_that_may_be_left_out() -> None:
    assert object_schema(ConfigConnections)["required"] == ["channels"]
    assert object_schema(DraftPreviewRequest)["required"] == ["profile"]
    assert decode(ConfigConnections, {}).channels == ()
    assert decode(DraftPreviewRequest, {}).draft().name == "draft"


def test_a_body_that_is_nested_too_deeply_is_refused() -> None:
    context: dict[str, Any] = {}
    for _ in range(2000):
        context = {"a": context}
    assert "nested too deeply" in " ".join(problems(Change, {"context": context}).values())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[" * 101 + b"]" * 101, "nested too deeply"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" + b"9" * 5000 + b"]", "too large"),
        (b"1e999", "too large"),
        (b"-Infinity", "-Infinity is not a JSON value"),
        (b'{"a": 1, "\\u0061": 2}', "'a' stands twice"),
        (b'"\\ud800"', "half a character"),
        (b'"\xff"', "not valid UTF-8"),
        (b"{}{}", "line 1, column 3"),
    ],
)
def test_json_that_cannot_be_kept_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(NotJson, match=r"^(is|has) ") as caught:
        read_json(content)
    assert words in str(caught.value)


def test_json_with_a_mark_and_at_the_limits_is_read() -> None:
    assert read_json(b"\xef\xbb\xbf[1e308]") == [1e308]
    assert read_json("[" * 100 + "]" * 100)


async def test_a_config_s_problems_are_told_at_once(world: World) -> None:
    body = {"external_key": 1, "nmae": "x", "render_context": []}
    answer = await world.call("POST", "/{d}/clients/configs", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    fields = {each["field"] for each in answer.json()["details"]}
    assert fields == {"external_id", "external_key", "nmae", "render_context"}
