"""What is made on the platform for one bootstrap config: kept together with it, or undone.

A config of this kind is no gateway: the journal has it until it is there, and where it was refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field, frozen

from bootstrap_core.model import Caller
from bootstrap_core.secrets import Secret
from provision.layout.model import Dialect, Identifiers
from provision.layout.plan import Plan, PlannedChannel, PlannedClient, PlannedConnections
from provision.onboarding.clock import Clock
from provision.onboarding.engine import Engine, PartsWork
from provision.onboarding.model import Heading, Intent, Onboarding, Outcome, State
from provision.platform.types import Connections, NewChannel, NewClient


@frozen
class WantedParts:
    """What is to be made for the config of a device; ``connections`` are those that are not there.

    The caller may have chosen the channels' IDs.
    """

    external_id: str
    clients: Sequence[NewClient] = field(default=(), repr=False)
    channels: Sequence[NewChannel] = ()
    connections: Sequence[Connections] = ()

    @property
    def is_nothing(self) -> bool:
        """Whether all is there already."""
        return not (self.clients or self.channels or self.connections)


@frozen
class ConfigParts:
    """Has the parts of configs made, under the journal's care: whole, or undone."""

    _engine: Engine
    _identifiers: Identifiers
    _clock: Clock

    async def make(self, caller: Caller, wanted: WantedParts, work: PartsWork) -> None:
        """Do the work that makes what is wanted, and nothing else.

        Where it fails, or this process ends before it settled, what it made is removed again.
        Raises what the work raises.
        """
        now = self._clock.now()
        intent = Intent(_plan(caller, wanted), Secret(""), made_by=caller.user_id)
        row = Onboarding(
            id=self._identifiers.uuid(),
            domain_id=caller.domain_id,
            external_id=wanted.external_id,
            state=State.UNDOING,
            heading=Heading.ROLL_BACK,
            outcome=Outcome.CREATED,
            actor=caller.user_id,
            intent=intent,
            token=caller.token,
            created_at=now,
            updated_at=now,
        )
        await self._engine.make_parts(row, work)


def _plan(caller: Caller, wanted: WantedParts) -> Plan:
    return Plan(
        domain_id=caller.domain_id,
        external_id=wanted.external_id,
        name=wanted.external_id,
        layout="",
        layout_digest="",
        dialect=Dialect.PROVISION,
        parameters={},
        clients=tuple(
            PlannedClient(
                key="",
                id=client.id,
                name=client.name,
                identity=None,
                secret=client.secret,
                metadata={},
                tags=(),
                is_gateway=False,
                certificate=False,
            )
            for client in wanted.clients
        ),
        channels=tuple(
            PlannedChannel("", channel.id, channel.name, None, {}, ())
            for channel in wanted.channels
        ),
        connections=tuple(
            PlannedConnections(
                tuple(connection.client_ids),
                tuple(connection.channel_ids),
                tuple(connection.types),
            )
            for connection in wanted.connections
        ),
        certificates=(),
        config=None,
        profile=None,
        bindings=(),
    )
