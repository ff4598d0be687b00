"""What a device's answer is made of, from what is stored of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import evolve

from bootstrap_core.binding_rows import client_key_place, open_secrets
from bootstrap_core.device_reads import DeviceRow, json_column
from bootstrap_core.errors import NotRenderable, RenderError, SlotUnbound
from bootstrap_core.parts import Parts
from bootstrap_core.profile_slots import slots_from_json
from bootstrap_core.rendering import (
    ContentFormat,
    RenderBinding,
    RenderContext,
    RenderDevice,
    Renderer,
    RenderProfile,
)
from bootstrap_core.sealing import Sealer
from bootstrap_core.secret import MASK, Secret
from bootstrap_core.slots import require_bound


def masked_binding(binding: RenderBinding) -> RenderBinding:
    """Return a binding with a mask in the place of each of its secrets."""
    if binding.secret is None:
        return binding
    return evolve(binding, secret=dict.fromkeys(binding.secret, MASK))


class PartsMaker:
    """Opens, renders and gathers."""

    def __init__(self, sealer: Sealer, renderer: Renderer) -> None:
        """``sealer`` opens what is secret."""
        self._sealer = sealer
        self._renderer = renderer

    def parts(self, rows: Sequence[DeviceRow], external_id: str) -> Parts:
        """Return the parts of the config that ``rows`` are of. Raises ``NotRenderable``."""
        row = rows[0]
        bound = {
            each.slot: RenderBinding(
                each.type,
                each.resource_id,
                json_column(each.snapshot),
                open_secrets(self._sealer, row.config_id, each.slot, each.sealed_secret),
            )
            for each in rows
            if each.slot is not None
        }
        sealed = row.sealed_client_key
        client_key = self._sealer.open(sealed, client_key_place(row.config_id)) if sealed else b""
        return Parts(
            row.config_id,
            self._content(row, external_id, bound),
            row.client_cert,
            Secret(client_key.decode()),
            row.ca_cert,
            bound,
        )

    def masked(self, rows: Sequence[DeviceRow], external_id: str, parts: Parts) -> Parts:
        """Return the parts for people, their secrets masked, within the content too.

        Raises ``NotRenderable``: the template does not do with masks in the secrets' places.
        """
        bound = {slot: masked_binding(each) for slot, each in parts.bindings.items()}
        content = parts.content
        if bound != parts.bindings:
            content = self._content(rows[0], external_id, bound)
        key = Secret(MASK) if parts.client_key else parts.client_key
        return evolve(parts, content=content, client_key=key, bindings=bound)

    def _content(self, row: DeviceRow, external_id: str, bound: Mapping[str, RenderBinding]) -> str:
        if row.profile_name is None:
            return row.content
        profile = RenderProfile(
            row.profile_name,
            ContentFormat(row.content_format),
            row.content_template,
            json_column(row.defaults),
        )
        context = RenderContext(
            RenderDevice(row.config_id, external_id, row.domain_id),
            json_column(row.render_context),
            bound,
        )
        try:
            require_bound(slots_from_json(json_column(row.binding_slots)), bound)
            return self._renderer.render(profile, context)
        except (RenderError, SlotUnbound) as error:
            raise NotRenderable from error
