"""Guessing is bounded, and holds up no device that guesses nothing."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bootstrap_core.delivery.answers import Place
from bootstrap_core.errors import Busy, DeviceRefused, Throttled
from bootstrap_core.keys import KeyHasher
from bootstrap_core.secrets import Secret
from bootstrap_core.store.pair_rows import PairDigests
from bootstrap_core.throttle import Guesses
from bootstrap_core.work import FairTurns
from tests.bootstrap.world import CHEAP, World, running

DEVICE, STRANGER = "10.0.0.1", "192.0.2.9"


async def ask(world: World, key: str, address: str, external_id: str = "gw") -> str:
    """Ask as a device; return what came of it."""
    try:
        await world.core.delivery.fetch(Place(external_id), key.encode(), address)
    except (DeviceRefused, Throttled) as error:
        return error.code
    return "served"


async def make(world: World, external_id: str = "gw") -> str:
    made = await world.make("configs", external_id=external_id, external_key="key", content="1")
    return str(made["id"])


async def test_devices_that_ask_before_they_are_onboarded_hold_up_nobody(world: World) -> None:
    asked = [await ask(world, "key", DEVICE, f"gw-{number}") for number in range(200)]
    assert "throttled" in asked
    await make(world, "gw-7")
    assert await ask(world, "key", DEVICE, "gw-7") == "served"
    assert await ask(world, "key", DEVICE, "gw-8") == "throttled"


async def test_a_device_that_asked_often_is_served_once_it_is_onboarded(world: World) -> None:
    asked = [await ask(world, "key", DEVICE) for _ in range(30)]
    assert asked[-1] == "throttled"
    await make(world)
    assert await ask(world, "key", DEVICE) == "served"


async def test_a_strangers_guesses_hold_up_no_first_contact(world: World) -> None:
    await make(world)
    asked = [await ask(world, f"guess {number}", STRANGER) for number in range(60)]
    assert asked[-1] == "throttled"
    assert await ask(world, "key", DEVICE) == "served"


async def test_many_strangers_hold_up_no_address_that_succeeded(world: World) -> None:
    config_id = await make(world)
    assert await ask(world, "key", DEVICE) == "served"
    for number in range(10):
        for _ in range(20):
            await ask(world, "guess", f"192.0.2.{number}")
    assert await ask(world, "key", "10.0.0.2") == "throttled"
    assert await ask(world, "key", DEVICE) == "served"
    path = f"/{{d}}/clients/configs/{config_id}"
    await world.call("PATCH", path, json={"content": "2"})
    assert await ask(world, "key", DEVICE) == "served"


async def test_a_restart_holds_up_no_device(tmp_path: Path) -> None:
    digests = PairDigests()
    async with running(tmp_path, pair_digests=digests) as world:
        await make(world)
        async with running(tmp_path, pair_digests=digests) as again:
            for _ in range(60):
                await ask(again, "guess", STRANGER)
            assert await ask(again, "key", DEVICE) == "served"


async def test_the_right_key_is_no_more_found_than_a_wrong_one(world: World) -> None:
    """Where too many were wrong, the right one is refused like any other."""
    await make(world)
    for _ in range(20):
        assert await ask(world, "guess", STRANGER) == "device_refused"
    assert await ask(world, "key", STRANGER) == "throttled"
    # The device's own success gives the stranger nothing.
    assert await ask(world, "key", DEVICE) == "served"
    assert await ask(world, "key", STRANGER) == "throttled"
    assert await ask(world, "guess", STRANGER) == "throttled"


async def test_guesses_count_though_the_address_is_refused_anyway(world: World) -> None:
    await make(world)
    for number in range(110):
        await ask(world, "x", STRANGER, f"nobody-{number}")
    asked = [await ask(world, f"guess {number}", STRANGER) for number in range(25)]
    assert set(asked) == {"throttled"}
    assert await ask(world, "key", STRANGER) == "throttled"


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5), st.booleans()), max_size=300))
def test_what_is_remembered_is_bounded(attempts: list[tuple[str, str, bool]]) -> None:
    guesses = Guesses(limit=20)
    for device, address, right in attempts:
        (guesses.succeeded if right else guesses.failed)(device, address)
    assert len(guesses._buckets) <= 20
    assert len(guesses._trusted) <= 20


class TestTurns:
    async def test_addresses_take_turns_and_so_do_their_devices(self) -> None:
        turns, order = FairTurns(1), []

        async def work(address: str, name: str) -> None:
            async with turns.turn((address, name)):
                order.append(f"{address}/{name}")
                await asyncio.sleep(0)

        waiting = [("a", "1")] * 4 + [("a", "2"), ("b", "1"), ("b", "1"), ("c", "1")]
        await asyncio.gather(*(work(*lane) for lane in waiting))
        expected = ["a/1", "a/1", "b/1", "c/1", "a/2", "b/1", "a/1", "a/1"]
        assert order == expected

    @given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("12"), st.booleans())))
    def test_everybody_gets_a_turn_whoever_gives_up(
        self, lanes: list[tuple[str, str, bool]]
    ) -> None:
        async def check() -> None:
            turns, at_once, done = FairTurns(2), 0, 0

            async def work(lane: tuple[str, str]) -> None:
                nonlocal at_once, done
                async with turns.turn(lane):
                    at_once += 1
                    assert at_once <= 2
                    try:
                        await asyncio.sleep(0)
                    finally:
                        at_once -= 1
                    done += 1

            tasks = [asyncio.create_task(work((a, n))) for a, n, _ in lanes]
            await asyncio.sleep(0)
            for task, (_, _, gives_up) in zip(tasks, lanes, strict=True):
                if gives_up:
                    task.cancel()
            await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
            assert done >= sum(not gives_up for _, _, gives_up in lanes)
            assert [turns.queued(each) for each in "abc"] == [0, 0, 0]
            async with turns.turn(("a", "1")), turns.turn(("b", "1")):
                pass

        asyncio.run(check())

    async def test_one_address_leaves_room_in_the_queue(self) -> None:
        hasher = KeyHasher(CHEAP, threads=1, waiting=20)
        gate = threading.Event()
        try:
            busy = asyncio.create_task(hasher.take_turn(gate.wait))
            await asyncio.sleep(0)
            lane = (STRANGER, "gw")
            flood = [
                asyncio.create_task(hasher.verify(Secret("x"), None, lane=lane)) for _ in range(40)
            ]
            await asyncio.sleep(0)
            other = asyncio.create_task(hasher.verify(Secret("x"), None, lane=(DEVICE, "gw")))
            own = asyncio.create_task(hasher.hash(Secret("x")))
            await asyncio.sleep(0)
            gate.set()
            assert await other is False
            assert await own
            await busy
            results = await asyncio.gather(*flood, return_exceptions=True)
            assert sum(isinstance(each, Busy) for each in results) == 30
        finally:
            gate.set()
            hasher.close()
