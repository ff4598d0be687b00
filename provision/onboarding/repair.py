"""Finds what is missing of a gateway on the platform, and creates exactly that."""

from __future__ import annotations

from attrs import evolve

from bootstrap_core.secret import Secret
from provision.layout.plan import Plan, PlannedConnections
from provision.onboarding.certification import Certification, make_private_keys
from provision.onboarding.creation import Creation, all_of
from provision.onboarding.model import Intent
from provision.onboarding.rotation import Rotation
from provision.onboarding.trace import Trace
from provision.platform.port import CertificateAuthority, Platform
from provision.platform.types import ChannelQuery, ClientQuery, StatusFilter

PAGE = 100


class Repair:
    """Compares a gateway with its plan; IDs, secrets and keys become what they were.

    What an operator has disabled, a client or the config, stays disabled.
    """

    def __init__(
        self,
        platform: Platform,
        authority: CertificateAuthority,
        creation: Creation,
        certification: Certification,
        rotation: Rotation,
    ) -> None:
        """Take what is asked, and what creates and changes."""
        self._platform = platform
        self._authority = authority
        self._creation = creation
        self._certification = certification
        self._rotation = rotation

    async def resources(self, token: Secret, plan: Plan, trace: Trace) -> None:
        """Create the clients and channels that are gone, then the connections that are."""
        await self._platform.view_domain(token, plan.domain_id)
        clients = await all_of(self._has_client(token, plan, each.id) for each in plan.clients)
        channels = await all_of(self._has_channel(token, plan, each.id) for each in plan.channels)
        gone = evolve(
            plan,
            clients=tuple(c for c, there in zip(plan.clients, clients, strict=True) if not there),
            channels=tuple(
                c for c, there in zip(plan.channels, channels, strict=True) if not there
            ),
        )
        await all_of(
            [
                self._creation.clients(token, gone, trace),
                self._creation.channels(token, gone, trace),
            ]
        )
        await self._connections(token, plan, trace)

    async def secrets(self, token: Secret, plan: Plan, trace: Trace) -> None:
        """Give clients their secret back where somebody changed it: the device knows no other."""
        held = await all_of(
            self._platform.view_client(token, plan.domain_id, each.id) for each in plan.clients
        )
        changed = tuple(
            wanted
            for wanted, found in zip(plan.clients, held, strict=True)
            if found.secret != wanted.secret
        )
        await self._rotation.secrets(token, evolve(plan, clients=changed), trace)

    async def certificates(self, token: Secret, intent: Intent, trace: Trace) -> Intent:
        """Return the intent with new certificates in place of those gone or revoked.

        They are for the same keys, and for new ones where none is held here or by the device.
        """
        plan = intent.plan
        lost = [
            planned
            for planned in plan.certificates
            if not await self._is_valid(token, intent, planned.client_id)
        ]
        if not lost:
            return intent
        again = evolve(plan, certificates=tuple(lost))
        held = {**intent.private_keys, **intent.csrs}
        keys = {**intent.private_keys, **await make_private_keys(again, but=held)}
        asked = evolve(intent, plan=again, private_keys=keys)
        issued, chain = await self._certification.certify_again(token, asked, trace)
        fresh = {each.client_id: each for each in issued}
        kept = {each.client_id: each for each in intent.certificates}
        return evolve(
            intent,
            private_keys=keys,
            certificates=tuple((kept | fresh).values()),
            ca_chain=chain,
        )

    async def _has_client(self, token: Secret, plan: Plan, client_id: str) -> bool:
        query = ClientQuery(id=client_id, limit=1, status=StatusFilter.ALL)
        return bool((await self._platform.list_clients(token, plan.domain_id, query)).total)

    async def _has_channel(self, token: Secret, plan: Plan, channel_id: str) -> bool:
        query = ChannelQuery(id=channel_id, limit=1, status=StatusFilter.ALL)
        return bool((await self._platform.list_channels(token, plan.domain_id, query)).total)

    async def _connections(self, token: Secret, plan: Plan, trace: Trace) -> None:
        connected = dict(
            zip(
                (each.id for each in plan.channels),
                await all_of(self._clients_of(token, plan, each.id) for each in plan.channels),
                strict=True,
            )
        )
        missing = tuple(
            PlannedConnections((pair.client_id,), (pair.channel_id,), pair.types)
            for pair in plan.pairs
            if pair.client_id not in connected[pair.channel_id]
        )
        await self._creation.connections(token, evolve(plan, connections=missing), trace)

    async def _clients_of(self, token: Secret, plan: Plan, channel_id: str) -> set[str]:
        found: set[str] = set()
        while True:
            query = ClientQuery(
                channel_id=channel_id, offset=len(found), limit=PAGE, status=StatusFilter.ALL
            )
            page = await self._platform.list_clients(token, plan.domain_id, query)
            found.update(each.id for each in page.items)
            if not page.items or len(found) >= page.total:
                return found

    async def _is_valid(self, token: Secret, intent: Intent, client_id: str) -> bool:
        serial = next((c.serial for c in intent.certificates if c.client_id == client_id), "")
        listed = await self._authority.list_certificates(token, intent.plan.domain_id, client_id)
        return any(each.serial == serial and not each.revoked for each in listed)
