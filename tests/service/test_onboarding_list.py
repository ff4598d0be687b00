"""The journal as people see it."""

from __future__ import annotations

from pathlib import Path

from tests.database import FILE, execute
from tests.service.running import embedded


async def test_an_onboarding_whose_intent_can_not_be_read_is_shown_like_others(
    tmp_path: Path,
) -> None:
    async with embedded(tmp_path) as running:
        for external_id in ("gw-1", "gw-2"):
            assert (await running.map(external_id)).status_code == 201
        before = await running.get("/onboardings")
        execute(tmp_path / FILE, "UPDATE onboardings SET intent = '?' WHERE external_id = 'gw-1'")
        assert await running.get("/onboardings") == before
        for row in before["onboardings"]:
            alone = await running.get(f"/onboardings/{row['id']}")
            assert {key: alone[key] for key in row} == row
            assert [entry["outcome"] for entry in alone["audit"]] == ["created", "begun"]
