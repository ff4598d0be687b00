"""Configs over HTTP: what PATCH leaves alone, what conflicts, what lists find."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from bootstrap_core.decoding import read
from bootstrap_core.delivery.preview import PreviewRequest
from bootstrap_core.errors import BootstrapError, Conflict
from bootstrap_core.http.requests import Bodies
from bootstrap_core.model import BindingSlot
from bootstrap_core.store.tables import conflicts_named
from tests.bootstrap.world import BOB, World

UNKNOWN = "11111111-2222-4333-8444-555555555555"


async def view(world: World, config_id: str) -> dict[str, Any]:
    answer = await world.call("GET", f"/{{d}}/clients/configs/{config_id}")
    assert answer.status_code == 200
    shown: dict[str, Any] = answer.json()
    return shown


async def patch(world: World, config_id: str, **change: Any) -> int:
    path = f"/{{d}}/clients/configs/{config_id}"
    return (await world.call("PATCH", path, json=change)).status_code


async def test_where_a_config_is(world: World) -> None:
    sent = {"external_id": "gw-place", "external_key": "k"}
    made = await world.call("POST", "/{d}/clients/configs", json=sent)
    assert made.headers["location"] == f"/clients/configs/{made.json()['id']}"
    found = await world.call("GET", made.headers["content-location"])
    assert found.json()["external_id"] == "gw-place"


class TestChanging:
    """PATCH changes what it names."""

    FULL: dict[str, Any] = {  # noqa: RUF012 - never changed
        "external_id": "gw",
        "external_key": "k",
        "name": "n",
        "content": "c",
        "render_context": {"a": 1},
    }

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({}, {"name": "n", "content": "c", "render_context": {"a": 1}}),
            ({"name": "m"}, {"name": "m", "content": "c", "render_context": {"a": 1}}),
            ({"content": "d"}, {"name": "n", "content": "d", "render_context": {"a": 1}}),
            ({"render_context": {"b": 2}}, {"name": "n", "render_context": {"b": 2}}),
            ({"name": None, "content": None}, {"render_context": {"a": 1}}),
            ({"render_context": None}, {"name": "n", "content": "c"}),
        ],
    )
    async def test_what_is_not_named_stays(
        self, world: World, change: dict[str, Any], expected: dict[str, Any]
    ) -> None:
        made = await world.make("configs", **self.FULL)
        assert await patch(world, made["id"], **change) == 200
        shown = await view(world, made["id"])
        for key in ("name", "content", "render_context"):
            if key in expected:
                assert shown[key] == expected[key]
            elif change.get(key, ...) is None:
                assert key not in shown

    async def test_identity_key_status_and_profile_are_left_alone(self, world: World) -> None:
        made = await world.make("configs", **self.FULL)
        others = {"external_id": "x", "external_key": "x", "status": "disabled", "id": UNKNOWN}
        assert await patch(world, made["id"], **others, profile_id=UNKNOWN) == 200
        shown = await view(world, made["id"])
        assert (shown["id"], shown["external_id"], shown["status"]) == (made["id"], "gw", "enabled")
        assert "profile_id" not in shown
        assert (await world.fetch("gw", "k")).status_code == 200

    async def test_certificates_that_are_not_named_stay(self, world: World) -> None:
        made = await world.make(
            "configs", **self.FULL, client_cert="C", client_key="K", ca_cert="A"
        )
        path = f"/{{d}}/clients/configs/certs/{made['id']}"
        answer = await world.call("PATCH", path, json={"client_cert": "C2"})
        assert answer.json() == {"id": made["id"], "client_cert": "C2", "ca_cert": "A"}
        fetched = (await world.fetch("gw", "k")).json()
        assert (fetched["client_cert"], fetched["client_key"]) == ("C2", "K")
        answer = await world.call("PATCH", path, json={"client_key": None, "ca_cert": ""})
        assert answer.json() == {"id": made["id"], "client_cert": "C2"}
        fetched = (await world.fetch("gw", "k")).json()
        assert (fetched["client_key"], fetched["ca_cert"]) == ("", "")

    async def test_what_is_not_there_cannot_be_changed(self, world: World) -> None:
        for config_id in (UNKNOWN, "not-a-uuid", "a%00b"):
            assert await patch(world, config_id, name="x") == 404


class TestConflicts:
    """Names and external IDs are unique within a domain, and the error names what is taken."""

    async def test_an_external_id_is_taken_once_per_domain(self, world: World) -> None:
        await world.make("configs", external_id="gw", external_key="k")
        new = {"external_id": "gw", "external_key": "k2"}
        refused = await world.call("POST", "/{d}/clients/configs", json=new)
        assert refused.status_code == 409
        assert refused.json()["details"] == {"field": "external_id", "value": "gw"}
        path = f"/{world.other_domain}/clients/configs"
        assert (await world.call("POST", path, BOB, json=new)).status_code == 201

    async def test_a_name_is_taken_once_per_domain(self, world: World) -> None:
        await world.make("configs", external_id="a", external_key="k", name="taken")
        other = await world.make("configs", external_id="b", external_key="k")
        new = {"external_id": "c", "external_key": "k", "name": "taken"}
        refused = await world.call("POST", "/{d}/clients/configs", json=new)
        assert refused.status_code == 409
        assert "'taken'" in refused.json()["message"]
        assert await patch(world, other["id"], name="taken") == 409

    async def test_any_number_may_have_no_name(self, world: World) -> None:
        for number in range(3):
            await world.make("configs", external_id=f"gw-{number}", external_key="k", name="")

    async def test_a_deleted_configs_ids_are_free(self, world: World) -> None:
        made = await world.make("configs", external_id="gw", external_key="k", name="n")
        path = f"/{{d}}/clients/configs/{made['id']}"
        for _ in range(2):
            assert (await world.call("DELETE", path)).status_code == 204
        await world.make("configs", external_id="gw", external_key="k", name="n")


class TestLists:
    """Filters, pages and totals."""

    async def listed(self, world: World, query: str = "") -> tuple[int, list[str]]:
        answer = await world.call("GET", f"/{{d}}/clients/configs{query}")
        assert answer.status_code == 200
        found = answer.json()
        return found["total"], [config["external_id"] for config in found["configs"]]

    async def seed(self, world: World) -> None:
        for name in ("Alpha One", "beta", "ÄRGER_1", "alpha two"):
            made = await world.make("configs", external_id=name[:3], external_key="k", name=name)
        path = f"/{{d}}/clients/configs/{made['id']}/disable"
        assert (await world.call("POST", path)).status_code == 200

    async def test_newest_first_and_enabled_ones(self, world: World) -> None:
        await self.seed(world)
        assert await self.listed(world) == (3, ["ÄRG", "bet", "Alp"])
        assert await self.listed(world, "?status=disabled") == (1, ["alp"])
        assert (await self.listed(world, "?status=ALL"))[0] == 4
        assert (await self.listed(world, "?status=1"))[1] == ["alp"]

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("ALPHA", ["Alp"]),
            ("ärger", ["ÄRG"]),
            ("e", ["ÄRG", "bet", "Alp"]),
            ("zzz", []),
            ("a\\", []),
        ],
    )
    async def test_a_part_of_the_name_in_any_case(
        self, world: World, name: str, expected: list[str]
    ) -> None:
        await self.seed(world)
        assert await self.listed(world, f"?name={quote(name)}") == (len(expected), expected)

    async def test_the_whole_external_id_or_id(self, world: World) -> None:
        await self.seed(world)
        assert await self.listed(world, "?external_id=bet") == (1, ["bet"])
        assert await self.listed(world, "?external_id=be") == (0, [])
        assert await self.listed(world, f"?id={UNKNOWN}") == (0, [])

    async def test_pages(self, world: World) -> None:
        await self.seed(world)
        assert await self.listed(world, "?offset=1&limit=1") == (3, ["bet"])
        assert await self.listed(world, "?offset=9") == (3, [])
        assert await self.listed(world, "?limit=0") == (3, [])

    @pytest.mark.parametrize(
        "query",
        [
            "limit=101",
            "limit=-1",
            "limit=x",
            "limit=",
            "offset=1.5",
            "limit=1&limit=2",
            "offset=99999999999999999999",
            "offset=" + "9" * 5000,
            "status=bogus",
            "limit=1;offset=2",
            "name=%ff",
            "name=a%00b",
        ],
    )
    async def test_odd_queries_are_told(self, world: World, query: str) -> None:
        answer = await world.call("GET", f"/{{d}}/clients/configs?{query}")
        assert answer.status_code == 400
        assert answer.json()["code"] == "malformed"


class TestBodies:
    """What is wrong with a body is told with its place."""

    @pytest.mark.parametrize(
        ("body", "place"),
        [
            (b"{", "line 1"),
            (b"[1]", "object"),
            (b'{"external_id": "x"} trailing', "line 1, column 22"),
            (b'{"external_id": 5, "external_key": "k"}', "external_id"),
            (b'{"External_ID": "x", "external_key": "k"}', "external_id"),
            (b'{"external_id": "x"}', "external_key"),
            (b'{"external_id": "", "external_key": "k"}', "external_id"),
            (b'{"external_id": null, "external_key": "k"}', "external_id"),
            (b'{"external_id": "x", "external_key": "k", "content": {}}', "content"),
            (b'{"external_id": "x", "external_key": "k", "render_context": [1]}', "render_context"),
            (b'{"external_id": "x", "external_key": "k", "name": "\\ud800"}', "half a character"),
            (b'{"external_id": "x", "external_key": "k", "render_context": {"a": NaN}}', "NaN"),
            (b'{"external_id": "x", "external_key": "k", "render_context": {"a": 1e999}}', "large"),
            (b"\xff", "UTF-8"),
            (b"[" * 100_000, "nested too deeply"),
            (b'{"external_id": "' + b"x" * 1025 + b'", "external_key": "k"}', "1025 bytes"),
        ],
    )
    async def test_it_is_400(self, world: World, body: bytes, place: str) -> None:
        headers = {"Content-Type": "application/json"}
        answer = await world.call("POST", "/{d}/clients/configs", content=body, headers=headers)
        assert answer.status_code == 400, answer.text
        assert place in answer.json()["message"]

    async def test_the_character_nul_cannot_be_stored(self, world: World) -> None:
        for values in ({"name": "a\0b"}, {"render_context": {"a": ["\0"]}}):
            new = {"external_id": "x", "external_key": "k"} | values
            answer = await world.call("POST", "/{d}/clients/configs", json=new)
            assert answer.status_code == 422

    @pytest.mark.parametrize("kind", ["", "text/plain", "application/jsonx"])
    async def test_another_content_type_is_415(self, world: World, kind: str) -> None:
        headers = {"Content-Type": kind} if kind else {}
        answer = await world.call("POST", "/{d}/clients/configs", content=b"{}", headers=headers)
        assert answer.status_code == 415
        assert "application/json" in answer.json()["message"]

    async def test_a_body_over_the_limit_is_413(self, world: World) -> None:
        new = {"external_id": "x", "external_key": "k", "content": "x" * (1024 * 1024)}
        answer = await world.call("POST", "/{d}/clients/configs", json=new)
        assert answer.status_code == 413

    async def test_a_profile_that_is_not_there_is_422(self, world: World) -> None:
        for profile_id in (UNKNOWN, "abc"):
            new = {"external_id": "x", "external_key": "k", "profile_id": profile_id}
            answer = await world.call("POST", "/{d}/clients/configs", json=new)
            assert answer.status_code == 422
            assert answer.json()["details"]["field"] == "profile_id"

    async def test_what_a_stranger_sends_wrong_is_told_before_that_he_is_one(
        self, world: World
    ) -> None:
        answer = await world.call("POST", "/{d}/clients/configs", BOB, json={})
        assert answer.status_code == 400


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def refusal(read: Callable[[], object]) -> BootstrapError | None:
    """Return the error that reading raises, if any."""
    try:
        read()
    except BootstrapError as error:
        return error
    return None


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode(errors="ignore")))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    error = refusal(lambda: Bodies().json(body))
    assert error is None or error.status == 400


@given(st.dictionaries(st.sampled_from(["text", "object", "array", "flag"]), JSON_VALUES))
def test_any_document_is_read_or_refused(values: dict[str, Any]) -> None:
    kinds: list[tuple[Any, str]] = [
        (str, "text"),
        (Mapping[str, Any], "object"),
        (Sequence[BindingSlot], "array"),
        (Sequence[str], "array"),
        (bool, "flag"),
        (PreviewRequest, "object"),
    ]
    for kind, key in kinds:
        error = refusal(functools.partial(read, kind, values.get(key), key))
        assert error is None or (error.status in (400, 422) and key in error.message)


def test_a_conflict_names_the_constraint_whatever_the_values_are() -> None:
    told = (
        'duplicate key value violates unique constraint "uq_configs_name"\n'
        "DETAIL:  Key (domain_id, name)=(d, my external_id) already exists."
    )
    with pytest.raises(Conflict) as caught, conflicts_named(name="my external_id"):
        raise IntegrityError("INSERT", {}, Exception(told))
    assert caught.value.details["field"] == "name"
