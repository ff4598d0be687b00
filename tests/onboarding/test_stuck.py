"""What waits for credentials, and what lets it go on: on virtual time."""

from __future__ import annotations

import asyncio
import contextlib

from attrs import define, evolve

from bootstrap_core.model import Caller
from bootstrap_core.secrets import Secret
from provision.onboarding.model import State
from provision.platform import errors
from tests.onboarding.stories import Longest, cut_short, make, watch
from tests.onboarding.world import OTHER_DOMAIN, World, audit, onboardings, simulated


@simulated
async def test_without_credentials_it_is_stuck_at_once_until_somebody_of_the_domain_comes(
    world: World,
) -> None:
    row = await cut_short(world, world.caller(0.3))
    seen = await watch(world, 60.0)
    first = next(each for each in seen if each.attempts)
    assert (first.state, first.error_code) == (State.STUCK, "invalid_token")
    replica = world.replicas[-1]
    stranger = Caller("stranger", OTHER_DOMAIN, world.platform.token(1e9))
    await replica.resume_with(stranger)
    assert (await watch(world, 300.0))[-1].state is State.STUCK
    # Who may neither create nor delete clients is of no use, and takes no turn from who may.
    await replica.resume_with(evolve(world.caller(), actions=frozenset({"read"})))
    assert (await watch(world, 300.0))[-1].state is State.STUCK
    await replica.resume_with(world.caller())
    await world.come_to_rest()
    done = await replica.service.view(world.caller(), "gw-1")
    assert (done.id, done.state, done.attempts, done.error_code) == (row.id, State.DONE, 0, "")
    assert done.error_message == ""
    assert done.next_attempt_at is None
    audit(world)


@define
class Renewable:
    """Credentials whose first token the platform no longer takes."""

    good: Secret
    renewals: int = 0

    async def token(self) -> Secret:
        return self.good if self.renewals else Secret("ended")

    async def renewed(self, refused: Secret) -> Secret:
        assert refused == Secret("ended")
        self.renewals += 1
        return self.good


@define
class Absent:
    """Credentials that the service can't get at."""

    error: errors.PlatformError

    async def token(self) -> Secret:
        raise self.error

    async def renewed(self, refused: Secret) -> Secret:
        raise AssertionError("there was none to refuse")


@simulated
async def test_credentials_of_the_service_are_renewed_once_they_are_refused(world: World) -> None:
    world.own = own = Renewable(world.platform.token(1e9))
    await cut_short(world, world.caller(0.3))
    await world.come_to_rest()
    assert own.renewals == 1
    audit(world)


@simulated
async def test_the_callers_token_serves_where_the_service_can_not_get_its_own(
    world: World,
) -> None:
    world.own = Absent(errors.Unavailable())
    await cut_short(world)
    await world.come_to_rest()
    audit(world)


@simulated
async def test_why_the_service_can_not_get_its_own_is_told_where_no_other_is_left(
    world: World,
) -> None:
    world.own = Absent(errors.Unavailable())
    world.start_replica()
    await make(world)
    world.platform.failing["delete_client"] = errors.Failed()
    caller = Caller("somebody", world.caller().domain_id, Secret(""))
    with contextlib.suppress(errors.PlatformError):
        await world.replicas[-1].remove(caller, "gw-1")
    seen = await watch(world, 30.0)
    assert seen[-1].error_code == "platform_unavailable"
    assert seen[-1].error_message.startswith("credentials: ")


@simulated
async def test_who_has_credentials_is_not_waited_for_any_longer(world: World) -> None:
    world.chance = Longest()
    await cut_short(world, world.caller(0.3))
    await asyncio.sleep(200.0)
    (row,) = onboardings(world.database)
    assert row.attempts >= 5
    assert row.next_attempt_at
    assert (row.next_attempt_at - world.clock.now()).total_seconds() > 20.0
    await world.replicas[-1].resume_with(world.caller())
    await asyncio.sleep(15.0)
    assert onboardings(world.database)[0].state is State.DONE


@simulated
async def test_credentials_are_lent_to_nothing_that_has_some(world: World) -> None:
    world.chance = Longest()
    await cut_short(world)
    world.platform.failing["connect"] = errors.Unavailable()
    await asyncio.sleep(40.0)
    (row,) = onboardings(world.database)
    assert (row.state, row.error_code) == (State.STUCK, "platform_unavailable")
    other = Caller("another", row.domain_id, world.platform.token(1e9))
    replica = world.replicas[-1]
    assert await replica.leases.assign_token(row.domain_id, other.token) == 0
    await replica.resume_with(other)
    (same,) = onboardings(world.database)
    assert (same.token, same.attempts, same.next_attempt_at) == (
        row.token,
        row.attempts,
        row.next_attempt_at,
    )
