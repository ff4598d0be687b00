"""The bootstrap side of a plan: what the core is told, from the plan alone."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen
from sqlalchemy.ext.asyncio import AsyncConnection

from bootstrap_core.configs import PRIVATE_KEY
from bootstrap_core.enrollments import Enroller, Enrollment
from bootstrap_core.errors import NotFound
from bootstrap_core.model import (
    CHANNEL_SLOT,
    THING_SLOT,
    BindingSlot,
    Profile,
    Resource,
    ResourceType,
    certificate_resource,
    channel_resource,
    client_resource,
)
from bootstrap_core.profiles import InlineProfile
from bootstrap_core.secrets import Secret
from provision.layout import model as layout_model
from provision.layout.plan import Plan, PlannedBinding, PlannedClient, PlannedConfig, PlannedEntity
from provision.onboarding.certificates.ledger import CertificateLedger
from provision.onboarding.certificates.signing import KeepKeys, without_keys
from provision.onboarding.errors import BindingRefused, ConfigTaken, ProfileUnknown
from provision.onboarding.model import Intent, IssuedCertificate
from provision.platform.port import Entity
from provision.platform.types import Client


@frozen
class PlanEnrollments:
    """Writes the bootstrap records of plans, in transactions that the caller opens.

    ``ledger`` has the certificates in use; ``keep`` says how long private keys are held here.
    """

    _enroller: Enroller
    _ledger: CertificateLedger
    _keep: KeepKeys

    def to_keep(self, intent: Intent) -> Intent:
        """Return the intent as it may be kept once it is carried out."""
        if self._keep is KeepKeys.NEVER:
            return without_keys(intent, [issued.client_id for issued in intent.certificates])
        return intent

    async def check(self, connection: AsyncConnection, plan: Plan) -> None:
        """Make sure that the bootstrap records can be written, before anything is created.

        Raises ``ConfigTaken``, ``ProfileUnknown`` and ``BindingRefused``.
        """
        if plan.config is None:
            return
        taken = await self._enroller.view_device(connection, plan.domain_id, plan.external_id)
        if taken is not None and taken.config.id != plan.config.id:
            raise ConfigTaken(
                f"external_id: the bootstrap config {taken.config.id} has {plan.external_id!r} "
                "already and belongs to no onboarding; remove it, or choose another external ID",
                details={"config_id": taken.config.id, "external_id": plan.external_id},
            )
        match plan.profile:
            case layout_model.ProfileReference(id=profile_id, name=name):
                profile = await self._referred(connection, plan, profile_id or name)
                _check_bindings(plan, profile)

    async def take_pair(self, connection: AsyncConnection, intent: Intent) -> None:
        """Have the device's new external key open its config, once that is written.

        Raises ``PairTaken``. Once the key is wiped there is nothing to do.
        """
        plan = intent.plan
        if plan.config is not None and intent.external_key:
            await self._enroller.take_pair(
                connection,
                domain_id=plan.domain_id,
                external_id=plan.external_id,
                external_key=intent.external_key,
                config_id=plan.config.id,
            )

    async def write(self, connection: AsyncConnection, intent: Intent) -> str:
        """Create (or make as it should be) profile, config and bindings; return the profile's ID.

        A config that somebody disabled stays so. The ID is empty where the config has no profile,
        or there is no config.
        """
        plan = intent.plan
        await self._ledger.put(connection, intent)
        if plan.config is None:
            return ""
        profile = await self._profile(connection, plan)
        own = next((held for held in intent.certificates if held.client_id == plan.config.id), None)
        enrollment = _enrollment(intent, plan.config, profile, own)
        await self._enroller.put_config(connection, enrollment)
        return profile.id if profile else ""

    async def is_whole(self, connection: AsyncConnection, plan: Plan) -> bool:
        """Tell whether the config is there and all slots that the plan binds are bound."""
        if plan.config is None:
            return True
        present = await self._enroller.view(connection, plan.domain_id, plan.config.id)
        if present is None:
            return False
        return {binding.slot for binding in _bound(plan)} <= {
            binding.slot for binding in present.bindings
        }

    async def remove(
        self, connection: AsyncConnection, plan: Plan, *, replaced: bool = False
    ) -> None:
        """Remove the config and its bindings; the profile is shared and stays.

        Where the gateway is ``replaced``, its device stays the domain's.
        """
        await self._ledger.remove(connection, plan)
        if plan.config is not None:
            await self._enroller.remove(
                connection, plan.domain_id, plan.config.id, replaced=replaced
            )

    async def _profile(self, connection: AsyncConnection, plan: Plan) -> Profile | None:
        match plan.profile:
            case layout_model.InlineProfile() as inline:
                return await self._enroller.put_profile(
                    connection, plan.domain_id, _inline_profile(plan, inline)
                )
            case layout_model.ProfileReference(id=profile_id, name=name):
                return await self._referred(connection, plan, profile_id or name)
            case None:
                return None

    async def _referred(self, connection: AsyncConnection, plan: Plan, reference: str) -> Profile:
        try:
            return await self._enroller.find_profile(connection, plan.domain_id, reference)
        except NotFound as error:
            raise ProfileUnknown(
                f"layout {plan.layout!r} uses the profile {reference!r}, which domain "
                f"{plan.domain_id} does not have; create it there, or name another one"
            ) from error


def _check_bindings(plan: Plan, profile: Profile) -> None:
    slots = {slot.name: slot for slot in profile.binding_slots}
    for binding in plan.bindings if slots else ():
        slot = slots.get(binding.slot)
        if slot is None:
            raise BindingRefused(
                f"layout {plan.layout!r} binds slot {binding.slot!r}, which profile "
                f"{profile.name!r} does not have; its slots are {', '.join(sorted(slots))}"
            )
        if slot.type is not binding.type:
            raise BindingRefused(
                f"layout {plan.layout!r} binds a {binding.type} to slot {binding.slot!r} of "
                f"profile {profile.name!r}, which takes a {slot.type.value}"
            )
    bound = {binding.slot for binding in plan.bindings}
    unbound = sorted(name for name, slot in slots.items() if slot.required and name not in bound)
    # Without any binding the layout leaves all of them to the operator, which the API can do later.
    if unbound and bound:
        raise BindingRefused(
            f"layout {plan.layout!r} leaves required slots of profile {profile.name!r} unbound: "
            + ", ".join(unbound)
        )


def _inline_profile(plan: Plan, inline: layout_model.InlineProfile) -> InlineProfile:
    return InlineProfile(
        origin=plan.layout,
        digest=plan.layout_digest,
        name=inline.name,
        content_format=inline.content_format,
        content_template=inline.content_template,
        description=inline.description,
        defaults=inline.defaults,
        binding_slots=[
            BindingSlot(slot.name, slot.type, slot.required, slot.fields)
            for slot in inline.binding_slots
        ],
    )


def _enrollment(
    intent: Intent,
    config: PlannedConfig,
    profile: Profile | None,
    certificate: IssuedCertificate | None,
) -> Enrollment:
    plan = intent.plan
    return Enrollment(
        config_id=config.id,
        domain_id=plan.domain_id,
        external_id=plan.external_id,
        external_key_hash=intent.external_key_hash,
        name=config.name,
        status=config.status,
        profile=profile,
        render_context=config.render_context,
        secret_context=plan.secret_parameters,
        content=config.content,
        client_cert=certificate.certificate if certificate else "",
        client_key=certificate.private_key if certificate else Secret(""),
        ca_cert=intent.ca_chain if certificate else "",
        bindings={binding.slot: _resource(intent, binding) for binding in _bound(plan)},
    )


def _bound(plan: Plan) -> Sequence[PlannedBinding]:
    """Return what is bound; Mainflux's layouts bind the gateway's thing and its channels.

    Mainflux's routes tell the device its key and channels, and connect it, by these.
    """
    if plan.config is None or plan.dialect is not layout_model.Dialect.MAINFLUX:
        return plan.bindings
    channel_ids = dict.fromkeys(
        channel_id
        for group in plan.connections
        if plan.config.id in group.client_ids
        for channel_id in group.channel_ids
    )
    return (
        PlannedBinding(THING_SLOT, ResourceType.CLIENT, plan.config.id),
        *(
            PlannedBinding(CHANNEL_SLOT + channel_id, ResourceType.CHANNEL, channel_id)
            for channel_id in channel_ids
        ),
        *plan.bindings,
    )


def resource_of(entity: PlannedEntity | Entity, domain_id: str) -> Resource:
    """Return a client or channel, planned or there, as what is bound to a slot."""
    if isinstance(entity, PlannedClient | Client):
        return client_resource(
            entity.id,
            name=entity.name,
            domain_id=domain_id,
            identity=entity.identity or "",
            secret=entity.secret,
        )
    return channel_resource(
        entity.id,
        name=entity.name,
        domain_id=domain_id,
        route=entity.route or "",
        metadata=entity.metadata,
    )


def _resource(intent: Intent, binding: PlannedBinding) -> Resource:
    plan = intent.plan
    match binding.type:
        case ResourceType.CLIENT | ResourceType.CHANNEL:
            return resource_of(plan.entity(binding.resource_id), plan.domain_id)
        case ResourceType.CERTIFICATE:
            issued = next(
                held for held in intent.certificates if held.client_id == binding.resource_id
            )
            resource = certificate_resource(
                issued.serial,
                client_id=issued.client_id,
                certificate=issued.certificate,
                expires_at=issued.expires_at,
            )
            # Empty where none is held, so that a template that shows the key still renders.
            return evolve(resource, secret={PRIVATE_KEY: issued.private_key})
