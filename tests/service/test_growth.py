"""What is done again and again reads its rows by an index, however many others there are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from bootstrap_core.store.device_reads import HEAD
from provision.store.database import open_engine
from tests.database import url_of
from tests.service.running import Running, embedded

pytestmark = pytest.mark.sqlite("reads SQLite's query plans")

# What there is one or more of for each gateway.
GROWING = re.compile(
    r"SCAN (onboardings|audit_trail|certificates_in_use|superseded_certificates|configs|bindings|"
    r"fetches|delivered_contents|platform_(clients|channels|connections|certificates))\b"
)


@pytest.fixture
def statements() -> Iterator[set[str]]:
    """Give every statement that is run from now on, by whatever engine."""
    seen: set[str] = set()

    def note(*about: Any) -> None:
        seen.add(about[2])

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


async def _use(running: Running) -> None:
    """Do what people and devices do all day."""
    await running.map("gw-0")
    for on_existing in ("reuse", "repair", "rotate"):
        assert (await running.map(on_existing=on_existing)).is_success
    assert (await running.fetch()).status_code == 200
    assert (await running.fetch(key="another")).status_code == 403
    for path in ("/gateways", "/onboardings", "/clients/configs", "/clients", "/channels"):
        await running.get(path)
    for path in ("/mapping/gw-1", "/mapping/gw-1/drift", "/gateways?certificate_days=1"):
        await running.get(path)
    await running.http.delete(f"/{running.domain}/mapping/gw-1", headers=running.headers)


async def _plans(file: Path, statements: set[str]) -> dict[str, list[str]]:
    """Return how each statement reads its rows."""
    engine = open_engine(url_of(file))
    plans = {}
    try:
        async with engine.connect() as connection:
            for each in sorted(statements):
                if each.lstrip().startswith(("SELECT", "UPDATE", "DELETE")):
                    words = re.sub(r"\?", "NULL", each)
                    rows = await connection.execute(text(f"EXPLAIN QUERY PLAN {words}"))
                    plans[each] = [row[3] for row in rows]
    finally:
        await engine.dispose()
    return plans


async def test_nothing_reads_a_whole_table_of_what_grows(
    tmp_path: Path, statements: set[str]
) -> None:
    async with embedded(tmp_path) as running:
        await _use(running)
    plans = await _plans(tmp_path / "provision.db", statements)
    assert len(plans) > 30
    whole = {
        statement: step
        for statement, plan in plans.items()
        for step in plan
        if GROWING.match(step) and "COVERING INDEX" not in step
    }
    assert not whole


async def test_a_list_finds_the_certificates_of_each_gateway_by_its_external_id(
    tmp_path: Path, statements: set[str]
) -> None:
    async with embedded(tmp_path) as running:
        await running.map()
        statements.clear()
        await running.get("/gateways")
        listing = {each for each in statements if "certificates_in_use" in each}
    (plan,) = (await _plans(tmp_path / "provision.db", listing)).values()
    steps = [each for each in plan if "certificates_in_use" in each]
    assert steps
    assert all("domain_id=? AND external_id=?" in step for step in steps)


async def test_a_devices_poll_reads_an_index_and_no_row_of_a_config(tmp_path: Path) -> None:
    async with embedded(tmp_path):
        pass
    plans = await _plans(tmp_path / "provision.db", {re.sub(r":\w+", "?", HEAD)})
    ((configs, *_),) = plans.values()
    assert "USING COVERING INDEX" in configs
