"""Data of every earlier version: opened by today's service, they work as if they were its own."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, inspect

from bootstrap_core.secrets import Secret
from provision.app import open_service
from provision.onboarding.rows import sealed_place
from provision.settings_reader import load
from provision.store.data_directory import DataDirectory
from provision.store.database import migrate, open_engine
from tests.certificates.world import SettableClock, eventually, read
from tests.cli.prompt import provision
from tests.cli.served import Served
from tests.console.visiting import forms_of
from tests.database import FILE, environment, execute, url_of
from tests.service.running import BASE, QUICK, Running, open_client, sign_in
from tests.upgrade.past import LAYOUTS, VERSIONS, Past, fetched, mapped

CERTIFICATES_ARE_DUE = timedelta(days=8 * 365)
PATIENCE = 30.0


# The usual run opens the data of the last version, the long one those of all the others too.
@pytest.fixture(
    params=[*(pytest.param(name, marks=pytest.mark.slow) for name in VERSIONS[:-1]), VERSIONS[-1]],
    scope="module",
)
def past(request: pytest.FixtureRequest) -> Past:
    return Past(request.param)


@pytest.fixture(scope="module")
def upgraded(past: Past, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Today's service on data of then, shared by the tests that change nothing of it."""
    with past.served(past.unpack(tmp_path_factory.mktemp("past") / "data")) as served:
        yield served


def test_devices_fetch_what_they_fetched_then(past: Past, upgraded: Served) -> None:
    assert past.devices(upgraded) == past.devices_then
    gone = past.recorded["removed"]
    refused = httpx.get(
        f"{upgraded.url}/clients/bootstrap/{gone['external_id']}",
        headers={"Authorization": f"Client {gone['external_key']}"},
    )
    assert refused.status_code == 403


def test_a_request_of_then_gives_the_gateway_of_then(past: Past, upgraded: Served) -> None:
    for each in past.gateways:
        answer = mapped(upgraded, each.request)
        assert answer.status_code == 200, answer.text
        assert answer.json()["onboarding"]["outcome"] == "reused"
        assert answer.json().items() >= each.answer.items()


def test_an_operator_finds_every_gateway_whole(past: Past, upgraded: Served) -> None:
    listed = upgraded.run("list", "--json").json["onboardings"]
    states = {each["external_id"]: each["state"] for each in listed}
    assert states == {each.external_id: "done" for each in past.gateways}
    for each in past.gateways:
        shown = upgraded.run("show", each.external_id, "--json")
        assert shown.code == 0, shown.err
        made, seen = (names(a["clients"]) for a in (each.answer, shown.json))
        assert seen == made
        checked = upgraded.run("doctor", each.external_id, "--key", each.key, "--json")
        assert [c for c in checked.json["checks"] if c["verdict"] == "wrong"] == []
        held = upgraded.run("cert", "list", "--gateway", each.external_id, "--json")
        assert held.json["certificates"], held.out


def test_people_sign_in_to_the_console_and_see_the_gateways(past: Past, upgraded: Served) -> None:
    with httpx.Client(base_url=upgraded.url, follow_redirects=True) as browser:
        (form,) = forms_of(browser.get("/console").text)
        signed_in = browser.post(form.action, data=form.values | upgraded.operator)
        assert "Overview" in signed_in.text
        listed = browser.get("/console/gateways").text
        for each in past.gateways:
            assert each.external_id in listed
            page = browser.get(f"/console/gateways/{each.external_id}")
            assert page.status_code == 200
            assert each.answer["clients"][0]["id"] in page.text


def test_gateways_are_rotated_repaired_replaced_and_removed(past: Past, tmp_path: Path) -> None:
    with past.served(past.unpack(tmp_path / "data")) as served:
        rotated, repaired, replaced, removed = past.gateways
        for each, how in ((rotated, "rotate"), (repaired, "repair"), (replaced, "replace")):
            answer = mapped(served, each.request, on_existing=how)
            assert answer.is_success, answer.text
        now = {each.external_id: fetched(served, each).json() for each in past.gateways[:3]}
        assert now[rotated.external_id]["client_key"] != rotated.device["client_key"]
        assert now[repaired.external_id] == repaired.device
        assert now[replaced.external_id]["id"] != replaced.device["id"]
        ended = served.run("unmap", removed.external_id, "--yes")
        assert ended.code == 0, ended.err
        assert fetched(served, removed).status_code == 403
        assert mapped(served, past.recorded["removed"]).status_code == 201


def test_keys_are_rotated_before_the_first_start_of_the_new_version(
    past: Past, tmp_path: Path
) -> None:
    data = past.unpack(tmp_path / "data")
    ended = provision("keys", "rotate", "--data", str(data), "--forget")
    assert ended.code == 0, ended.err
    with past.served(data) as served:
        assert past.devices(served) == past.devices_then
        (first, *_) = past.gateways
        assert mapped(served, first.request).json().items() >= first.answer.items()


@pytest.mark.sqlite("a backup holds the database file; pg_dump backs PostgreSQL up")
def test_a_backup_of_then_is_restored(past: Past, tmp_path: Path) -> None:
    data = tmp_path / "data"
    ended = provision("restore", str(past.archive), "--data", str(data))
    assert ended.code == 0, ended.err
    for _ in range(2):
        with past.served(data) as served:
            assert past.devices(served) == past.devices_then


async def test_certificates_of_then_are_renewed_in_time(past: Past, tmp_path: Path) -> None:
    data = past.unpack(tmp_path / "data")
    first = past.gateways[0]
    variables = {
        "MG_PROVISION_DATA": str(data),
        "MG_PROVISION_LAYOUTS": str(LAYOUTS),
        **environment(data),
    }
    clock = SettableClock()
    opening = open_service(load(variables, {}), BASE, None, QUICK, clock)
    async with opening as service, open_client(service) as http:
        running = Running(http, http, service.operator_domain, await sign_in(http, data))
        clock.offset = CERTIFICATES_ARE_DUE

        async def is_renewed() -> bool:
            return (await device(running)) != first.device

        async def device(running: Running) -> Any:
            return (await running.fetch(first.external_id, first.key)).json()

        await eventually(is_renewed)
        now = await device(running)
    assert (now["id"], now["ca_cert"]) == (first.device["id"], first.device["ca_cert"])
    assert read(now["client_cert"]).subject == read(first.device["client_cert"]).subject


async def test_the_schema_is_that_of_a_new_database(past: Past, tmp_path: Path) -> None:
    old, new = past.unpack(tmp_path / "old"), tmp_path / "new"
    new.mkdir()
    assert await schema(old) == await schema(new)


def test_what_a_newer_version_journalled_is_set_aside_and_holds_up_nothing_else(
    past: Past, tmp_path: Path
) -> None:
    data = past.unpack(tmp_path / "data")
    first, second, *_ = past.gateways
    sealer = DataDirectory(data).sealer(Secret(""))
    query = "SELECT id, intent FROM onboardings WHERE external_id = :external_id"
    ((row, sealed),) = execute(data / FILE, query, external_id=first.external_id)
    intent = json.loads(sealer.open(sealed, sealed_place(row, "intent")))
    intent["plan"]["version"] = 99
    newer = sealer.seal(json.dumps(intent).encode(), sealed_place(row, "intent"))
    change = "UPDATE onboardings SET intent = :newer, state = 'planned' WHERE id = :row"
    execute(data / FILE, change, newer=newer, row=row)
    with past.served(data) as served:
        # Work that was left behind is looked for in the background.
        until = time.monotonic() + PATIENCE
        while 'provision_onboarding_rows{state="stuck"} 1.0' not in metrics_of(served):
            assert time.monotonic() < until, metrics_of(served)
            time.sleep(0.05)
        assert mapped(served, second.request).status_code == 200
        assert past.devices(served) == past.devices_then


def names(items: list[dict[str, Any]]) -> list[Any]:
    return sorted((each["id"], each["name"]) for each in items)


def metrics_of(served: Served) -> list[str]:
    return httpx.get(f"{served.url}/metrics").text.splitlines()


async def schema(data: Path) -> dict[str, Any]:
    """Bring the database up to date; return all that its tables are made of."""
    engine = open_engine(url_of(data / FILE))
    try:
        await migrate(engine)
        async with engine.connect() as connection:
            return await connection.run_sync(tables)
    finally:
        await engine.dispose()


def tables(connection: Connection) -> dict[str, Any]:
    found = inspect(connection)
    return {
        name: {
            "columns": [each | {"type": str(each["type"])} for each in found.get_columns(name)],
            "primary key": found.get_pk_constraint(name),
            "foreign keys": found.get_foreign_keys(name),
            "indexes": by_name(_plain(each) for each in found.get_indexes(name)),
            "unique": by_name(found.get_unique_constraints(name)),
            "checks": by_name(found.get_check_constraints(name)),
        }
        for name in found.get_table_names()
    }


def _plain(index: Any) -> dict[str, Any]:
    """Write out the condition of a partial index: two of the same text are not equal."""
    options = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return {**index, "dialect_options": options}


def by_name(items: Any) -> list[Any]:
    return sorted(items, key=lambda each: (str(each["name"]), str(each)))
