"""What a creation that was cut short left on the platform, in the console."""

from __future__ import annotations

import json
from pathlib import Path

from tests import database
from tests.console.visiting import Visitor
from tests.service.running import Running

LEFT = [{"kind": "channel", "id": "c0ffee00-0000-4000-8000-000000000001", "certain": True}]


async def test_it_is_shown_until_somebody_says_that_it_is_removed(
    visitor: Visitor, running: Running, tmp_path: Path
) -> None:
    onboarding_id = (await running.map()).json()["onboarding"]["id"]
    left = f"UPDATE onboardings SET leftovers = '{json.dumps(LEFT)}' WHERE id = :id"  # noqa: S608
    database.execute(tmp_path / database.FILE, left, id=onboarding_id)
    here = f"/console/onboardings/{onboarding_id}"

    gateway = await visitor.open("/console/gateways/gw-1")
    assert f"{here}#leftovers" in gateway.text
    onboarding = await visitor.open(here)
    assert LEFT[0]["id"] in onboarding.text
    asked = await visitor.open(f"{here}/forget")
    assert LEFT[0]["id"] in asked.text
    after = await visitor.send(f"{here}/forget")

    assert "What was left on the platform is no longer listed." in after.text
    assert LEFT[0]["id"] not in after.text.partition("Timeline")[0]
