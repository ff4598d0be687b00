"""One gateway whose certificates are cared for on virtual time, when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

from attrs import define

from bootstrap_core.store.tables import fetches
from provision.layout.model import Layout
from provision.layout.reader import read
from provision.onboarding.certificates.ledger import InUse
from provision.onboarding.certificates.renewal import (
    CareSettings,
    CertificateCare,
    OwnAuthority,
    Upkeep,
    take_care,
)
from provision.onboarding.certificates.signing import KeepKeys
from provision.onboarding.model import Onboarding
from provision.platform.port import CertificateAuthority
from tests.onboarding.simulated_platform import LIFE, certificates_in_force
from tests.onboarding.stories import make
from tests.onboarding.world import (
    LAYOUT,
    SEALER,
    TIMING,
    OwnToken,
    Replica,
    World,
    onboardings,
)

HOUR = 3600.0
DAY = 24 * HOUR
DUE = LIFE.total_seconds() * 2 / 3
OVERLAP = timedelta(hours=24)


TWO = """
[layout]
name = "two"

[[clients]]
key = "agent"
name = "{{ .ExternalID }}-agent"
certificate = true
%s

[[clients]]
key = "helper"
name = "{{ .ExternalID }}-helper"
certificate = true

[certificates]
renew = "auto"
ttl = "2400h"
%s
"""
UNDELIVERED = read(TWO % ("", ""), file="two.toml").layout
"""Two certificates, and no config that would deliver them."""
DELIVERED = read(
    TWO
    % (
        "bootstrap = true",
        """
[profile]
name = "two"
content_format = "json"
content_template = "{}"
""",
    ),
    file="two.toml",
).layout
"""Two certificates, of which the config delivers the first."""


class Noted:
    """An observer that keeps how renewals ended."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []

    def renewed(self, outcome: str) -> None:
        self.outcomes.append(outcome)


@define
class Care:
    """The care for one gateway, whose upkeep acts when it is told to."""

    world: World
    care: CertificateCare
    noted: Noted
    made: Onboarding

    @property
    def client_id(self) -> str:
        return self.made.plan.certificates[0].client_id

    def upkeep_with(self, authority: CertificateAuthority) -> Upkeep:
        """Return an upkeep for the same store that asks another authority."""
        return care_of(self.world, self.world.replicas[-1], authority, self.noted).upkeep

    async def known(self) -> InUse:
        found = await self.care.ledger.find(self.made.domain_id, self.client_id)
        assert found is not None
        return found

    async def sleep_until(self, seconds: float) -> None:
        await asyncio.sleep(seconds - self.world.loop.time())

    async def round(self) -> int:
        return await self.care.upkeep.round()

    def present(self) -> Onboarding:
        (row,) = (e for e in onboardings(self.world.database) if e.id == self.made.id)
        return row

    def fetch(self, outcome: str = "delivered", gateways: Sequence[Onboarding] = ()) -> None:
        """Note that the device, or each of the gateways', fetched its configuration now."""
        with self.world.database.begin() as connection:
            connection.execute(fetches.delete())
            for made in gateways or [self.made]:
                assert made.plan.config
                connection.execute(
                    fetches.insert().values(
                        config_id=made.plan.config.id,
                        at=self.world.clock.now(),
                        outcome=outcome,
                        digest="",
                    )
                )

    def in_force(self) -> list[str]:
        found = certificates_in_force(self.world.platform, self.client_id)
        return [each.serial for each in found]


async def begin(world: World, keep: KeepKeys = KeepKeys.ALWAYS, layout: Layout = LAYOUT) -> Care:
    world.keep = keep
    replica = world.start_replica()
    # It would look for work left behind every few seconds of many days.
    await replica.stop_looking()
    noted = Noted()
    care = care_of(world, replica, cast("Any", replica.wire), noted)
    return Care(world, care, noted, await make(world, layout=layout))


def care_of(
    world: World, replica: Replica, authority: CertificateAuthority, noted: Noted
) -> CertificateCare:
    return take_care(
        cast("Any", replica.engine),
        SEALER,
        replica.parts.journal,
        replica.parts.engine.jobs,
        authority,
        OwnAuthority(authority, OwnToken(world.platform.token(1e9))),
        noted,
        CareSettings(world.keep, OVERLAP),
        replica.clock,
        TIMING,
    )
