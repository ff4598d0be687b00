"""The embedded platform answers over HTTP what a real Magistrala was recorded to answer."""

from __future__ import annotations

import pytest

from tests.embedded.service import Installation, http_client, with_certificates
from tests.golden.replay import Row, by_scenario, load, load_deviations, replay

SERVED_ELSEWHERE = ("bootstrap", "provision")


def _scenarios() -> list[pytest.param]:
    return [
        pytest.param(rows, id=f"{recording}-{scenario}")
        for recording in ("clients", "channels", "users", "domains", "certs")
        for scenario, rows in by_scenario(load(recording)).items()
    ]


@pytest.mark.parametrize("rows", _scenarios())
async def test_answers_as_recorded(rows: list[Row], installed: Installation) -> None:
    mine = [
        row
        for row in rows
        if row["request"]["service"] not in SERVED_ELSEWHERE and row["request"]["path"] != "/health"
    ]

    async with http_client(await with_certificates(installed)) as http:
        found = await replay(
            http, mine, admin_token=installed.token.reveal(), deviations=load_deviations()
        )

    assert found == []
