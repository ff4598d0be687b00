"""What strangers, guessers and thieves of the database get: nothing."""

from __future__ import annotations

import hashlib
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from bootstrap_core.configs import NewConfig
from bootstrap_core.delivery.answers import Parts, Place
from bootstrap_core.errors import DeviceRefused
from bootstrap_core.keys import Cost, KeyHasher
from bootstrap_core.secrets import Sealer, SealingKey, Secret
from bootstrap_core.store.device_reads import DeviceRow, SqliteReads
from bootstrap_core.store.reseal import reseal
from bootstrap_core.store.tables import configs
from bootstrap_core.throttle import Allowance
from tests.bootstrap.world import ALICE, BOB, CHEAP, SEALER, World, running
from tests.database import contents

SECRETS = ("a-device-key-of-mine", "PRIVATE-KEY-PEM", "the-secret-of-the-client")
READS = [
    "/{d}/clients/configs",
    "/{d}/clients/configs?status=all",
    "/{d}/clients/bootstrap/profiles",
]


async def make_with_secrets(
    world: World, template: str = "{{ .Bindings.mqtt.Secret.secret }}"
) -> str:
    """Make a config that holds every kind of secret; return its ID."""
    client = world.platform.add_client(world.domain, secret=SECRETS[2])
    profile = await world.make(
        "bootstrap/profiles",
        name="p",
        content_format="go-template",
        content_template=template,
        binding_slots=[{"name": "mqtt", "type": "client", "required": True}],
    )
    config = await world.make(
        "configs",
        external_id="gw",
        external_key=SECRETS[0],
        client_key=SECRETS[1],
        profile_id=profile["id"],
    )
    path = f"/{{d}}/clients/bootstrap/enrollments/{config['id']}/bindings"
    bound = {"bindings": [{"slot": "mqtt", "type": "client", "resource_id": client}]}
    assert (await world.call("PUT", path, json=bound)).status_code == 204
    config_id: str = config["id"]
    return config_id


class TestUniformAnswers:
    """An unknown device and a wrong key cannot be told apart."""

    async def test_answers_are_the_same_byte_for_byte(self, world: World) -> None:
        await world.make("configs", external_id="gw", external_key="key")
        unknown = await world.fetch("nobody", "key")
        wrong = await world.fetch("gw", "wrong")
        long = await world.fetch("gw", "k" * 5000)
        assert unknown.status_code == wrong.status_code == long.status_code == 403
        assert unknown.content == wrong.content == long.content
        assert dict(unknown.headers) == dict(wrong.headers) == dict(long.headers)

    async def test_they_take_the_same_work(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        work: list[tuple[int, int, int, int]] = []
        scrypt = hashlib.scrypt

        def watched(key: bytes, **options: Any) -> bytes:
            work.append(tuple(options[name] for name in ("n", "r", "p", "dklen")))
            return scrypt(key, **options)

        async with running(tmp_path, key_cost=Cost(ln=5)) as world:
            await world.make("configs", external_id="gw", external_key="key")
            monkeypatch.setattr(hashlib, "scrypt", watched)
            await world.fetch("gw", "wrong")
            known = work.copy()
            work.clear()
            await world.fetch("nobody", "wrong")
        assert work == known != []

    async def test_refusals_wait_for_the_next_full_step(self, tmp_path: Path) -> None:
        async with running(tmp_path, refusal_step=0.1) as world:
            await world.make("configs", external_id="gw", external_key="key")
            for external_id in ("gw", "nobody"):
                started = time.perf_counter()
                await world.fetch(external_id, "wrong")
                assert time.perf_counter() - started >= 0.1

    async def test_the_right_key_waits_for_no_step(self, tmp_path: Path) -> None:
        async with running(tmp_path, refusal_step=3600.0) as world:
            await world.make("configs", external_id="gw", external_key="key")
            assert (await world.fetch("gw", "key")).status_code == 200


class TestThrottling:
    """Guessing is slowed down, and cannot be used to lock a device out."""

    async def test_guessing_is_told_to_wait(self, tmp_path: Path) -> None:
        options = {"failures_per_device": Allowance(3, 7.0)}
        async with running(tmp_path, **options) as world:
            await world.make("configs", external_id="gw", external_key="key")
            for _ in range(3):
                assert (await world.fetch("gw", "wrong")).status_code == 403
            refused = await world.fetch("gw", "wrong")
            assert refused.status_code == 429
            assert refused.headers["retry-after"] == "7"
            assert refused.json()["details"] == {"retry_after": 7}

    async def test_unknown_devices_are_throttled_alike(self, tmp_path: Path) -> None:
        async with running(tmp_path, failures_per_device=Allowance(2, 60.0)) as world:
            statuses = [(await world.fetch("nobody", "x")).status_code for _ in range(3)]
            assert statuses == [403, 403, 429]

    async def test_an_address_is_throttled_over_all_devices(self, tmp_path: Path) -> None:
        async with running(tmp_path, failures_per_address=Allowance(4, 60.0)) as world:
            answers = [await world.fetch(f"nobody-{number}", "x") for number in range(5)]
            assert [answer.status_code for answer in answers] == [403] * 4 + [429]

    async def test_a_device_that_is_known_is_not_locked_out(self, tmp_path: Path) -> None:
        options = {"failures_per_device": Allowance(2, 60.0)}
        async with running(tmp_path, **options) as world:
            await world.make("configs", external_id="gw", external_key="key")
            assert (await world.fetch("gw", "key")).status_code == 200
            for _ in range(5):
                await world.fetch("gw", "guess")
            assert (await world.fetch("gw", "guess")).status_code == 429
            assert (await world.fetch("gw", "key")).status_code == 200

    async def test_a_device_that_was_verified_is_not_locked_out_by_its_profiles_change(
        self, tmp_path: Path
    ) -> None:
        async with running(tmp_path, failures_per_device=Allowance(2, 60.0)) as world:
            template = {"content_format": "go-template", "content_template": "one"}
            profile = await world.make("bootstrap/profiles", name="p", **template)
            values = {"external_id": "gw", "external_key": "key", "profile_id": profile["id"]}
            await world.make("configs", **values)
            await world.fetch("gw", "key")
            for _ in range(5):
                await world.fetch("gw", "guess")
            path = f"/{{d}}/clients/bootstrap/profiles/{profile['id']}"
            await world.call("PATCH", path, json={"content_template": "two"})
            assert (await world.fetch("gw", "key")).json()["content"] == "two"

    async def test_the_right_key_ends_the_count_of_wrong_ones(self, tmp_path: Path) -> None:
        async with running(tmp_path, failures_per_device=Allowance(3, 60.0)) as world:
            await world.make("configs", external_id="gw", external_key="key")
            keys = ("x", "x", "key", "x", "x", "x", "x")
            statuses = [(await world.fetch("gw", key)).status_code for key in keys]
            assert statuses == [403, 403, 200, 403, 403, 403, 429]

    async def test_the_secure_route_is_throttled_too(self, tmp_path: Path) -> None:
        async with running(tmp_path, failures_per_device=Allowance(2, 60.0)) as world:
            statuses = [(await world.fetch("secure/gw", "zz")).status_code for _ in range(3)]
            assert statuses == [403, 403, 429]


@pytest.mark.parametrize(
    ("key", "hashed"), [(b"k" * 1025, "k" * 1025), (b"k" * 1025, ""), (b"\xff", ""), (b"", "")]
)
async def test_what_can_be_no_key_opens_no_config(world: World, key: bytes, hashed: str) -> None:
    config = await world.make("configs", external_id="gw", external_key="key")
    hasher = KeyHasher(CHEAP, threads=1)
    stored = await hasher.hash(Secret(hashed))
    hasher.close()
    async with world.engine.begin() as connection:
        statement = update(configs).where(configs.c.id == config["id"])
        await connection.execute(statement.values(external_key_hash=stored))
    delivery = world.core.delivery
    with pytest.raises(DeviceRefused):
        await delivery.fetch(Place("gw"), key, "10.0.0.1")


async def test_an_id_that_no_store_takes_is_an_unknown_device(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_: object, external_id: str, __: str) -> list[DeviceRow]:
        raise ValueError(f"PostgreSQL has no place for {external_id!r}")

    monkeypatch.setattr(SqliteReads, "rows", refuse)
    with pytest.raises(DeviceRefused):
        await world.core.delivery.fetch(Place("gw\0"), b"key", "10.0.0.1")


async def test_what_needs_a_secret_to_be_made_is_shown_to_nobody(world: World) -> None:
    real = f'"{SECRETS[2]}"'
    await make_with_secrets(
        world, "{{ if ne .Bindings.mqtt.Secret.secret " + real + ' }}{{ index "" 9 }}{{ end }}ok'
    )
    made = await world.core.delivery.fetch(Place("gw"), SECRETS[0].encode(), "10.0.0.1")
    assert b'"content":"ok"' in made.body
    assert await made.given.text() == ""


class TestAtRest:
    """Who has the database file has no secret."""

    async def test_the_file_holds_no_secret(self, tmp_path: Path) -> None:
        async with running(tmp_path) as world:
            await make_with_secrets(world)
            assert (await world.fetch("gw", SECRETS[0])).json()["content"] == SECRETS[2]
            await world.core.stop()
        stored = contents(tmp_path / "bootstrap.db")
        assert b"$scrypt$" in stored
        for secret in SECRETS:
            assert secret.encode() not in stored

    async def test_rotation_moves_every_secret_to_the_new_key(self, world: World) -> None:
        await make_with_secrets(world)
        new = SealingKey.generate()
        old = SealingKey(bytes(range(32)))
        assert await reseal(world.engine, Sealer([new, old])) == 2
        assert await reseal(world.engine, Sealer([new])) == 0
        refused = await world.fetch("gw", SECRETS[0])
        assert refused.json()["code"] == "sealed_value_unreadable"
        assert await reseal(world.engine, Sealer([old, new])) == 2
        assert (await world.fetch("gw", SECRETS[0])).json()["client_key"] == SECRETS[1]

    async def test_rotation_reaches_more_than_one_batch(self, world: World) -> None:
        for number in range(3):
            await world.make(
                "configs", external_id=f"gw-{number}", external_key="k", client_key="P"
            )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("bootstrap_core.store.reseal.BATCH", 1)
            keys = [SealingKey.generate(), SealingKey(bytes(range(32)))]
            assert await reseal(world.engine, Sealer(keys)) == 3


class TestWhatIsShown:
    """Members of the domain see no secret either, unless they ask for it."""

    async def test_no_answer_shows_a_secret(self, world: World) -> None:
        config_id = await make_with_secrets(world)
        profile_id = (await world.call("GET", READS[2])).json()["profiles"][0]["id"]
        one = f"/{{d}}/clients/configs/{config_id}"
        enrollment = f"/{{d}}/clients/bootstrap/enrollments/{config_id}/bindings"
        preview = f"/{{d}}/clients/bootstrap/profiles/{profile_id}/render-preview"
        answers = [await world.call("GET", path) for path in (*READS, one, enrollment)]
        answers += [await world.call("POST", one + end) for end in ("/disable", "/enable")]
        answers.append(await world.call("PATCH", one, json={"name": "new"}))
        answers.append(await world.call("POST", preview, json={"config_id": config_id}))
        for answer in answers:
            assert answer.status_code == 200
            for secret in SECRETS:
                assert secret not in answer.text
            assert "$scrypt$" not in answer.text

    async def test_a_member_may_ask_for_them_in_a_preview(self, world: World) -> None:
        config_id = await make_with_secrets(world)
        profile_id = (await world.call("GET", READS[2])).json()["profiles"][0]["id"]
        preview = f"/{{d}}/clients/bootstrap/profiles/{profile_id}/render-preview"
        asked = {"config_id": config_id, "show_secrets": True}
        assert (await world.call("POST", preview, json=asked)).json()["content"] == SECRETS[2]
        assert (await world.call("POST", preview, BOB, json=asked)).status_code == 403


class TestWhoMayComeIn:
    """Every management route asks who is calling."""

    def _operations(self, world: World) -> list[tuple[str, str]]:
        others = re.compile(r"\{(?!domain_id)\w+\}")
        return [
            (each.method, others.sub("x", each.path).replace("{domain_id}", world.domain))
            for each in world.core.operations()
            if each.security == "bearer"
        ]

    async def test_without_a_token_nothing_is_done(self, world: World) -> None:
        for method, path in self._operations(world):
            for headers in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer "}):
                answer = await world.http.request(method, path, headers=headers, json={})
                assert answer.status_code == 401, (method, path, headers)
            answer = await world.call(method, path, "nobody's token", json={})
            assert answer.status_code == 401, (method, path)

    async def test_strangers_to_the_domain_are_refused(self, world: World) -> None:
        valid = {"external_id": "x", "external_key": "k", "name": "n", "profile_id": "p"}
        valid |= {"bindings": [{"slot": "s", "type": "client", "resource_id": "r"}]}  # type: ignore[dict-item]
        for method, path in self._operations(world):
            named = {"profiles": ["name"], "bindings": ["bindings"]}
            fields = named.get(path.rpartition("/bootstrap/")[2].split("/")[0]) or named.get(
                path.rpartition("/")[2], [name for name in valid if name != "bindings"]
            )
            body = {name: valid[name] for name in fields}
            answer = await world.call(method, path, BOB, json=body)
            assert answer.status_code == 403, (method, path)

    async def test_an_unknown_domain_is_not_found(self, world: World) -> None:
        path = "/11111111-2222-4333-8444-555555555555/clients/configs"
        assert (await world.call("GET", path)).status_code == 404

    async def test_another_domains_configs_are_not_there(self, world: World) -> None:
        made = await world.make("configs", external_id="gw", external_key="k")
        own = f"/{world.other_domain}/clients/configs/{made['id']}"
        assert (await world.call("GET", own, BOB)).status_code == 404
        assert (await world.call("PATCH", own, BOB, json={"name": "x"})).status_code == 404
        assert (await world.call("DELETE", own, BOB)).status_code == 204
        assert (await world.call("GET", f"/{{d}}/clients/configs/{made['id']}")).status_code == 200

    async def test_another_domains_profile_cannot_be_used(self, world: World) -> None:
        profile = await world.make("bootstrap/profiles", name="alice's")
        new = {"external_id": "x", "external_key": "k", "profile_id": profile["id"]}
        path = f"/{world.other_domain}/clients/configs"
        assert (await world.call("POST", path, BOB, json=new)).status_code == 422


@given(st.binary(min_size=1, max_size=60))
def test_no_sealed_text_holds_what_it_seals(secret: bytes) -> None:
    sealed = SEALER.seal(secret, "row")
    if len(secret) > 5:
        assert secret not in sealed.encode()
    assert SEALER.open(sealed, "row") == secret


async def test_an_error_tells_no_secret(world: World) -> None:
    answer = await world.call(
        "POST",
        "/{d}/clients/configs",
        ALICE,
        json={"external_id": 5, "external_key": SECRETS[0], "client_key": SECRETS[1]},
    )
    assert answer.status_code == 400
    assert SECRETS[0] not in answer.text
    assert SECRETS[1] not in answer.text


def test_what_a_device_gets_is_not_in_a_repr() -> None:
    parts = Parts("id", SECRETS[0], "", Secret(SECRETS[1]), "", {})
    assert not any(secret in repr(parts) for secret in SECRETS)
    new = NewConfig("gw", Secret(SECRETS[0]), content=SECRETS[2])
    assert not any(secret in repr(new) for secret in SECRETS)
