"""Random sequences of requests, faults and restarts against a model of two lines."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from structlog.testing import capture_logs

from bootstrap_core.secrets import Secret
from provision.onboarding.errors import GatewayExists, KeyDiffers, OnboardingError
from provision.onboarding.model import Onboarding, OnExisting, State
from tests.onboarding.simulated_platform import Faults
from tests.onboarding.world import World, audit, new_database, onboardings, world

DATABASE = new_database()
GATEWAYS = st.sampled_from(["gw-1", "gw-2"])
KEYS = st.sampled_from(["key-1", "key-2"])


class Gateways(RuleBasedStateMachine):
    """The model: the key of each gateway that is there; unknown after a failure until looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        self.model: dict[str, str] = {}
        self.world: World

    @initialize(seed=st.integers(0, 2**32))
    def start(self, seed: int) -> None:
        self.stack.enter_context(capture_logs())
        self.world = self.stack.enter_context(world(seed, DATABASE))
        self.run(self._start())

    @rule(external_id=GATEWAYS, key=KEYS)
    def map(self, external_id: str, key: str) -> None:
        there = self.model.get(external_id)
        if there not in (None, key):
            self.refused(KeyDiffers, external_id, key, OnExisting.REUSE)
            return
        first = self.ask(external_id, key, OnExisting.REUSE)
        again = self.ask(external_id, key, OnExisting.REUSE)
        assert first.id == again.id
        assert again.outcome == "reused"
        assert (first.outcome == "reused") == (there is not None)
        self.model[external_id] = key

    @rule(external_id=GATEWAYS, key=KEYS)
    def map_at_once(self, external_id: str, key: str) -> None:
        if self.model.get(external_id, key) != key:
            return
        self.model[external_id] = key

        async def twenty() -> list[Onboarding]:
            service = self.world.replicas[-1].service
            request = self.world.request(external_id, key)
            return await asyncio.gather(
                *(service.map(self.world.caller(), request) for _ in range(20))
            )

        assert len({each.id for each in self.run(twenty())}) == 1

    @rule(external_id=GATEWAYS, key=KEYS)
    def fail_if_there(self, external_id: str, key: str) -> None:
        if external_id in self.model:
            self.refused(GatewayExists, external_id, key, OnExisting.FAIL)
        else:
            self.ask(external_id, key, OnExisting.FAIL)
            self.model[external_id] = key

    @rule(external_id=GATEWAYS, key=KEYS)
    def rotate(self, external_id: str, key: str) -> None:
        before = self.present(external_id)
        after = self.ask(external_id, key, OnExisting.ROTATE)
        if before:
            assert after.id == before.id
            assert after.created_ids == before.created_ids
            assert after.plan.clients[0].secret != before.plan.clients[0].secret
        self.model[external_id] = key

    @rule(external_id=GATEWAYS, key=KEYS)
    def replace(self, external_id: str, key: str) -> None:
        before = self.present(external_id)
        after = self.ask(external_id, key, OnExisting.REPLACE)
        if before:
            assert not after.created_ids & before.created_ids
        self.model[external_id] = key

    @rule(external_id=GATEWAYS, what=st.sampled_from(["client", "channel", "secret", "config"]))
    def repair_what_was_broken(self, external_id: str, what: str) -> None:
        before = self.present(external_id)
        if before is None:
            return
        self.break_it(before, what)
        repaired = self.ask(external_id, self.model[external_id], OnExisting.REPAIR)
        assert repaired.created_ids == before.created_ids
        assert repaired.outcome == "repaired"

    @rule(external_id=GATEWAYS)
    def remove(self, external_id: str) -> None:
        service = self.world.replicas[-1].service
        with contextlib.suppress(OnboardingError):
            self.run(service.remove(self.world.caller(), external_id))
        self.model.pop(external_id, None)

    @rule(external_id=GATEWAYS, key=KEYS, action=st.sampled_from(OnExisting), hang_up=st.booleans())
    def ask_in_bad_times(
        self, external_id: str, key: str, action: OnExisting, hang_up: bool
    ) -> None:
        self.world.platform.faults = Faults(rate=0.4, unseen=0.1)
        self.run(self._ask_badly(external_id, key, action, hang_up))
        self.world.platform.faults = Faults()
        self.look(external_id)

    @rule(external_id=GATEWAYS, key=KEYS, after=st.floats(0.0, 1.5))
    def crash(self, external_id: str, key: str, after: float) -> None:
        self.run(self._crash(external_id, key, after))
        self.look(external_id)

    @invariant()
    def journal_and_platform_agree(self) -> None:
        if not hasattr(self, "world"):
            return
        self.run(self.world.come_to_rest())
        audit(self.world)
        there = {e.external_id: e for e in onboardings(DATABASE) if e.state is State.DONE}
        assert {k: v.intent.external_key_hash for k, v in there.items()} == {
            k: f"hash of {v}" for k, v in self.model.items()
        }

    def teardown(self) -> None:
        self.stack.close()

    def run(self, work: Any) -> Any:
        return self.world.loop.run_until_complete(work)

    def ask(self, external_id: str, key: str, action: OnExisting) -> Onboarding:
        service = self.world.replicas[-1].service
        request = self.world.request(external_id, key, action)
        made: Onboarding = self.run(service.map(self.world.caller(), request))
        return made

    def refused(
        self, kind: type[Exception], external_id: str, key: str, action: OnExisting
    ) -> None:
        try:
            self.ask(external_id, key, action)
        except kind:
            return
        raise AssertionError(f"{kind.__name__} was expected")

    def present(self, external_id: str) -> Onboarding | None:
        found = [e for e in onboardings(DATABASE) if e.state is State.DONE]
        return next((e for e in found if e.external_id == external_id), None)

    def look(self, external_id: str) -> None:
        """Learn what became of a gateway whose request failed or got no answer."""
        self.run(self.world.come_to_rest())
        present = self.present(external_id)
        self.model.pop(external_id, None)
        if present:
            self.model[external_id] = present.intent.external_key_hash.removeprefix("hash of ")

    def break_it(self, gateway: Onboarding, what: str) -> None:
        platform, plan = self.world.platform, gateway.plan
        match what:
            case "client":
                platform._delete_client("", plan.clients[0].id)
            case "channel":
                platform._delete_channel("", plan.channels[0].id)
            case "secret":
                platform._update_client_secret("", plan.clients[0].id, Secret("another"))
            case "config":
                with DATABASE.begin() as connection:
                    connection.exec_driver_sql("DELETE FROM bindings")
                    connection.exec_driver_sql(
                        "DELETE FROM configs WHERE external_id = ?", (gateway.external_id,)
                    )
                for other in onboardings(DATABASE):
                    if other.state is State.DONE and other.id != gateway.id:
                        self.ask(
                            other.external_id, self.model[other.external_id], OnExisting.REPAIR
                        )

    async def _start(self) -> None:
        self.world.start_replica()

    async def _ask_badly(
        self, external_id: str, key: str, action: OnExisting, hang_up: bool
    ) -> None:
        service = self.world.replicas[-1].service
        request = self.world.request(external_id, key, action)
        asking = asyncio.ensure_future(service.map(self.world.caller(), request))
        await asyncio.wait([asking], timeout=0.3 if hang_up else None)
        asking.cancel()
        with contextlib.suppress(OnboardingError, asyncio.CancelledError):
            await asking

    async def _crash(self, external_id: str, key: str, after: float) -> None:
        replica = self.world.replicas[-1]
        request = self.world.request(external_id, key, OnExisting.REPLACE)
        asking = asyncio.ensure_future(replica.submit(self.world.caller(), request))
        await asyncio.wait([asking], timeout=after)
        await replica.kill()
        asking.cancel()
        with contextlib.suppress(OnboardingError, asyncio.CancelledError):
            await asking
        reborn = self.world.start_replica()
        await reborn.leases.release_all()


TestGateways = pytest.mark.slow(Gateways.TestCase)
TestGateways.settings = settings(
    max_examples=25,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
