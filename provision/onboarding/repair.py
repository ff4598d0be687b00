"""Makes a gateway whole again: what is missing, new secrets, or other IDs for what is half made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial

from attrs import evolve, frozen

from bootstrap_core.model import ENTITY_KINDS, ConnectionType
from bootstrap_core.secrets import Secret
from provision.layout.model import Identifiers
from provision.layout.plan import (
    Plan,
    PlannedClient,
    PlannedConnections,
    plan_from_json,
    plan_to_json,
)
from provision.onboarding.absence import Asker, Visibility, connected_clients
from provision.onboarding.certificates.signing import Certification, make_private_keys
from provision.onboarding.clock import Clock
from provision.onboarding.creation import TRIES, Creation, all_of
from provision.onboarding.model import Intent, IssuedCertificate
from provision.onboarding.steps import SideEffects
from provision.pki.errors import PkiError
from provision.pki.requests import Holder, check_request
from provision.platform.errors import AlreadyExists, NotFound, PlatformError
from provision.platform.port import CertificateAuthority, Platform
from provision.platform.types import Client


def fresh_intent(intent: Intent, identifiers: Identifiers) -> Intent | None:
    """Return the intent with another ID for each resource and another secret for each client.

    A secret counts as taken like an ID. Returns ``None`` where that can't be: a certificate request
    that a device sent names its client's ID.
    """
    old = [entity.id for kind in ENTITY_KINDS for entity in intent.plan.of_kind(kind)]
    others = {identifier: identifiers.uuid() for identifier in old}
    plan = _replaced(intent.plan, others)
    plan = evolve(
        plan,
        clients=tuple(evolve(client, secret=identifiers.secret()) for client in plan.clients),
    )
    try:
        for client_id, csr in intent.csrs.items():
            check_request(csr, Holder(plan.domain_id, others[client_id]))
    except PkiError:
        return None
    return evolve(
        intent,
        plan=plan,
        private_keys={others[old_id]: key for old_id, key in intent.private_keys.items()},
        csrs={others[old_id]: csr for old_id, csr in intent.csrs.items()},
        certificates=(),
    )


def _replaced(plan: Plan, others: Mapping[str, str]) -> Plan:
    """Return the plan with other IDs wherever one stands, within metadata and contents too."""
    text = json.dumps(plan_to_json(plan), ensure_ascii=False)
    for identifier, other in others.items():
        text = text.replace(identifier, other)
    return plan_from_json(json.loads(text))


@frozen
class Rotation:
    """The remote steps of a rotation; each may be repeated."""

    platform: Platform
    authority: CertificateAuthority

    async def secrets(self, asker: Asker, plan: Plan, effects: SideEffects) -> None:
        """Give each of the plan's clients the secret that the plan has for it.

        Raises ``NotPermitted``: the asker may not change one.
        """
        await all_of(self._secret(asker, client, effects) for client in plan.clients)

    async def revoke_others(
        self, token: Secret, domain_id: str, valid: Sequence[IssuedCertificate]
    ) -> None:
        """Revoke every certificate of these clients but the ``valid`` ones."""
        await all_of(self._revoke_others(token, domain_id, certificate) for certificate in valid)

    async def _secret(self, asker: Asker, client: PlannedClient, effects: SideEffects) -> None:
        token, domain_id = asker.token, asker.domain_id
        for last in (*[False] * (TRIES - 1), True):
            try:
                await self.platform.clients.update_secret(
                    token, domain_id, client.id, client.secret
                )
            except NotFound as error:
                visibility = Visibility(self.platform, asker)
                raise await visibility.refusal("client", client.id, "client_update") from error
            except PlatformError as error:
                effects.note_failure(error)
                if not (error.outcome_unknown or isinstance(error, AlreadyExists)):
                    raise
                found = await self.platform.clients.view(token, domain_id, client.id)
                if found.secret == client.secret:
                    return
                if last:
                    raise
            else:
                return

    async def _revoke_others(self, token: Secret, domain_id: str, valid: IssuedCertificate) -> None:
        listed = await self.authority.list_certificates(token, domain_id, valid.client_id)
        await all_of(
            self._revoke(token, domain_id, certificate.serial)
            for certificate in listed
            if certificate.serial != valid.serial and not certificate.revoked
        )

    async def _revoke(self, token: Secret, domain_id: str, serial: str) -> None:
        try:
            await self.authority.revoke_certificate(token, domain_id, serial)
        except NotFound:
            return


@frozen
class Repair:
    """Compares a gateway with its plan; IDs, secrets and keys become what they were.

    What an operator has disabled, a client or the config, stays disabled.
    """

    platform: Platform
    authority: CertificateAuthority
    creation: Creation
    certification: Certification
    rotation: Rotation
    clock: Clock

    async def resources(self, asker: Asker, plan: Plan, effects: SideEffects) -> None:
        """Create the clients and channels that are gone, then the connections that are.

        Raises ``NotPermitted``: the asker can't see whether one is gone.
        """
        token = asker.token
        await self.platform.view_domain(token, plan.domain_id)
        visibility = Visibility(self.platform, asker)
        gone = await all_of(
            visibility.missing(kind, [entity.id for entity in plan.of_kind(kind)])
            for kind in ENTITY_KINDS
        )
        missing = plan.only(set().union(*gone))
        await all_of(self.creation.create(kind, asker, missing, effects) for kind in ENTITY_KINDS)
        await self._connections(token, plan, effects)

    async def secrets(self, asker: Asker, plan: Plan, effects: SideEffects) -> None:
        """Give clients their secret back where somebody changed it: the device knows no other."""
        held = await all_of(self._held(asker, client.id) for client in plan.clients)
        changed = tuple(
            wanted
            for wanted, found in zip(plan.clients, held, strict=True)
            if found.secret != wanted.secret
        )
        await self.rotation.secrets(asker, evolve(plan, clients=changed), effects)

    async def _held(self, asker: Asker, client_id: str) -> Client:
        try:
            return await self.platform.clients.view(asker.token, asker.domain_id, client_id)
        except NotFound as error:
            visibility = Visibility(self.platform, asker)
            raise await visibility.refusal("client", client_id, "client_read") from error

    async def certificates(self, token: Secret, intent: Intent, effects: SideEffects) -> Intent:
        """Return the intent with new certificates in place of those gone, revoked or ended.

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
        issued, chain = await self.certification.certify_again(token, asked, effects)
        fresh = {certificate.client_id: certificate for certificate in issued}
        kept = {certificate.client_id: certificate for certificate in intent.certificates}
        return evolve(
            intent,
            private_keys=keys,
            certificates=tuple((kept | fresh).values()),
            ca_chain=chain,
        )

    async def _connections(self, token: Secret, plan: Plan, effects: SideEffects) -> None:
        """Connect what is not, and again what lost a type; types that were added since stay."""
        among = tuple(dict.fromkeys(pair.client_id for pair in plan.pairs))
        read = partial(connected_clients, self.platform, token, plan.domain_id, among=among)
        ids = [channel.id for channel in plan.channels]
        connected = dict(zip(ids, await all_of(map(read, ids)), strict=True))
        missing: list[PlannedConnections] = []
        halved: list[PlannedConnections] = []
        for pair in plan.pairs:
            held = connected[pair.channel_id].get(pair.client_id)
            wanted = {*pair.types, *(held or ())}
            types = tuple(kind for kind in ConnectionType if kind in wanted)
            again = PlannedConnections((pair.client_id,), (pair.channel_id,), types)
            if held is None:
                missing.append(again)
            elif held != wanted:
                halved.append(again)
        # What exists of a pair stands in the way of connecting it.
        await self.creation.disconnect(token, plan.domain_id, halved, effects)
        wanted_now = evolve(plan, connections=(*missing, *halved))
        await self.creation.connections(token, wanted_now, effects)

    async def _is_valid(self, token: Secret, intent: Intent, client_id: str) -> bool:
        serial = next((c.serial for c in intent.certificates if c.client_id == client_id), "")
        listed = await self.authority.list_certificates(token, intent.plan.domain_id, client_id)
        now = self.clock.now()
        return any(
            certificate.serial == serial
            and not certificate.revoked
            and certificate.expires_at > now
            for certificate in listed
        )
