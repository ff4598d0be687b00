"""Connections that a config's channels are to have, beside those that are there already."""

from __future__ import annotations

from pathlib import Path

from tests.service.running import KEY, embedded


async def test_a_client_that_may_only_publish_is_let_subscribe_too(tmp_path: Path) -> None:
    async with embedded(tmp_path) as running:

        async def post(path: str, body: dict[str, object]) -> dict[str, object]:
            place = f"/{running.domain}{path}"
            answer = await running.http.post(place, json=body, headers=running.headers)
            assert answer.is_success, answer.text
            return dict(answer.json()) if answer.content else {}

        client, channel = await post("/clients", {"name": "c"}), await post("/channels", {})
        wanted = {"client_ids": [client["id"]], "channel_ids": [channel["id"]]}
        await post("/channels/connect", {**wanted, "types": ["publish"]})
        await post(
            "/clients/configs/with-client",
            {
                "external_id": "gw",
                "external_key": KEY,
                "client_id": client["id"],
                "channels": [channel["id"]],
            },
        )
        (shown,) = (await running.get(f"/clients?channel={channel['id']}"))["clients"]
        assert sorted(shown["connection_types"]) == ["Publish", "Subscribe"]
