"""Another certificate in a config's place for it, on a connection that the caller gives.

A config holds certificates in two places: its own fields, and the bindings of type certificate.
Both are changed only where they hold the certificate that is named as the old one: what somebody
has put there by hand stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from attrs import evolve, field, frozen
from sqlalchemy.ext.asyncio import AsyncConnection

from bootstrap_core import binding_rows, config_rows, profile_rows
from bootstrap_core.model import (
    Binding,
    BindingSlot,
    Config,
    ResourceType,
    certificate_resource,
    new_revision,
)
from bootstrap_core.sealing import Sealer
from bootstrap_core.secret import Secret

PRIVATE_KEY: Final = "private_key"
NO_KEY: Final = Secret("")


@frozen
class HeldCertificate:
    """A client's certificate with its chain (PEM); the key is empty where it is not held here."""

    serial: str
    client_id: str
    certificate: str
    expires_at: datetime
    chain: str
    private_key: Secret = field(default=NO_KEY)


async def replace_certificate(
    connection: AsyncConnection,
    sealer: Sealer,
    place: tuple[str, str],
    old: HeldCertificate,
    new: HeldCertificate,
    at: datetime,
) -> bool:
    """Put ``new`` where the config at ``place`` (domain, config ID) holds ``old``.

    Returns whether it held it anywhere; a config that is not there does not.
    """
    config = await config_rows.find_for_update(connection, *place)
    if config is None:
        return False
    bound = [
        each
        for each in await binding_rows.of_config(connection, config.id)
        if each.type is ResourceType.CERTIFICATE and each.resource_id == old.serial
    ]
    changed = config
    if config.client_cert.strip() == old.certificate.strip():
        changed = evolve(
            config,
            client_cert=new.certificate,
            ca_cert=new.chain,
            sealed_client_key=binding_rows.seal_client_key(sealer, config.id, new.private_key),
        )
    if changed is config and not bound:
        return False
    slots = await _slots(connection, config)
    fresh = evolve(changed, revision=new_revision(), updated_at=at)
    await config_rows.replace(connection, fresh)
    rebound = [_rebound(sealer, each, slots, new, at) for each in bound]
    await binding_rows.put(connection, rebound)
    return True


def _rebound(
    sealer: Sealer,
    binding: Binding,
    slots: Mapping[str, BindingSlot],
    certificate: HeldCertificate,
    at: datetime,
) -> Binding:
    resource = certificate_resource(
        certificate.serial,
        client_id=certificate.client_id,
        certificate=certificate.certificate,
        expires_at=certificate.expires_at,
    )
    # Empty rather than left out, so that a template that shows the key still renders.
    resource = evolve(resource, secret={PRIVATE_KEY: certificate.private_key})
    slot = slots.get(binding.slot, BindingSlot(binding.slot, ResourceType.CERTIFICATE))
    return binding_rows.snapshot(sealer, binding.config_id, slot, resource, at)


async def _slots(connection: AsyncConnection, config: Config) -> Mapping[str, BindingSlot]:
    if not config.profile_id:
        return {}
    profile = await profile_rows.find(connection, config.domain_id, config.profile_id)
    return {slot.name: slot for slot in profile.binding_slots} if profile else {}
