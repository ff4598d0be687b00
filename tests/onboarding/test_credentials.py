"""Which credentials work is finished with, and how long the platform's word on them is believed."""

from __future__ import annotations

from typing import Any, cast

import pytest
from attrs import define, evolve, field

from bootstrap_core.secrets import Secret
from provision.onboarding.credentials import MAX_CACHED, Credentials
from provision.onboarding.model import Onboarding
from provision.platform import errors
from tests.onboarding.stories import make
from tests.onboarding.world import OwnToken, World, simulated


@define
class Asked:
    """A platform that takes every token but those in ``refused``, and notes who asked."""

    refused: dict[str, errors.PlatformError] = field(factory=dict)
    asked: list[tuple[str, str]] = field(factory=list)

    async def view_domain(self, token: Secret, domain_id: str) -> None:
        self.asked.append((token.reveal(), domain_id))
        if token.reveal() in self.refused:
            raise self.refused[token.reveal()]


async def row_of(world: World, token: str) -> Onboarding:
    world.start_replica()
    return evolve(await make(world), token=Secret(token))


def credentials(world: World, asked: Asked, own: str = "") -> Credentials:
    source = OwnToken(Secret(own)) if own else None
    return Credentials(source, cast("Any", asked), world.clock)


@simulated
async def test_a_token_is_cache_for_five_seconds_in_its_domain(world: World) -> None:
    row, asked = await row_of(world, "caller's"), Asked()
    found = credentials(world, asked)
    assert await found.usable(row) == Secret("caller's")
    await world.clock.sleep(4.9)
    await found.usable(row)
    assert len(asked.asked) == 1
    await found.usable(evolve(row, domain_id="another"))
    assert asked.asked[1:] == [("caller's", "another")]
    await world.clock.sleep(0.2)
    await found.usable(row)
    assert asked.asked[2:] == [("caller's", row.domain_id)]


@simulated
async def test_its_own_go_before_the_callers(world: World) -> None:
    row, asked = await row_of(world, "caller's"), Asked()
    assert await credentials(world, asked, "own").usable(row) == Secret("own")
    assert asked.asked == [("own", row.domain_id)]


@simulated
async def test_without_any_it_says_what_lets_it_go_on(world: World) -> None:
    row, asked = await row_of(world, ""), Asked()
    with pytest.raises(errors.InvalidToken, match="any request to this domain"):
        await credentials(world, asked).usable(row)
    assert not asked.asked


@simulated
async def test_why_the_last_one_was_refused_is_told(world: World) -> None:
    row = await row_of(world, "caller's")
    for error in (errors.InvalidToken(), errors.NotAMember(), errors.DomainNotFound()):
        with pytest.raises(type(error)):
            await credentials(world, Asked({"caller's": error})).usable(row)


@simulated
async def test_a_platform_that_can_not_be_asked_refuses_nobody(world: World) -> None:
    row, down = await row_of(world, "caller's"), errors.Unavailable()
    asked = Asked({"own": down, "caller's": errors.InvalidToken()})
    with pytest.raises(errors.Unavailable):
        await credentials(world, asked, "own").usable(row)
    assert asked.asked == [("own", row.domain_id)]


@simulated
async def test_only_so_many_are_remembered_the_newest(world: World) -> None:
    row, asked = await row_of(world, ""), Asked()
    found = credentials(world, asked)
    for number in range(MAX_CACHED + 1):
        await found.usable(evolve(row, token=Secret(f"token-{number}")))
    count = len(asked.asked)
    await found.usable(evolve(row, token=Secret(f"token-{MAX_CACHED}")))
    await found.usable(evolve(row, token=Secret("token-1")))
    assert len(asked.asked) == count
    await found.usable(evolve(row, token=Secret("token-0")))
    assert len(asked.asked) == count + 1
