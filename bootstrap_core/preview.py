"""Rendering a profile to look at it, with data that is stored, sent along, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core import binding_rows, config_rows, configs
from bootstrap_core.documents import Document
from bootstrap_core.errors import ProfileInvalid, RenderError
from bootstrap_core.model import Binding, Config, Profile
from bootstrap_core.parts_maker import masked_binding
from bootstrap_core.profile_documents import ProfileChange
from bootstrap_core.profiles import Profiles
from bootstrap_core.rendering import (
    ContentFormat,
    RenderBinding,
    RenderContext,
    RenderDevice,
    Renderer,
    RenderProfile,
)
from bootstrap_core.sealing import Sealer
from bootstrap_core.statuses import read_status


@frozen
class PreviewRequest:
    """What to render a profile with.

    ``config_id`` names a stored config, whose bindings are used as well, their secrets masked
    unless ``show_secrets`` asks for them. Of the variables, those of the inline config win over
    the request's, these over the stored config's, these over the profile's defaults.
    """

    config_id: str = ""
    device: RenderDevice = field(factory=RenderDevice)
    config_context: Mapping[str, Any] = field(factory=dict)
    render_context: Mapping[str, Any] = field(factory=dict)
    bindings: Mapping[str, RenderBinding] = field(factory=dict, repr=False)
    show_secrets: bool = False

    @classmethod
    def read(cls, document: Document) -> PreviewRequest:
        """Read the body of a preview request. Raises ``Malformed``."""
        config = document.document("config")
        if config.values.get("status") is not None:
            read_status(config.values["status"], config.where("status"))
        return cls(
            config_id=document.text("config_id"),
            device=RenderDevice(config.text("id"), config.text("external_id")),
            config_context=config.object("render_context"),
            render_context=document.object("render_context"),
            bindings={
                each.required_text("slot"): RenderBinding(
                    each.text("type"),
                    each.text("resource_id"),
                    each.object("snapshot") or None,
                    each.object("secret_snapshot") or None,
                )
                for each in document.objects("bindings")
            },
            show_secrets=document.boolean("show_secrets"),
        )


def read_draft(document: Document) -> RenderProfile:
    """Read the ``profile`` of a preview request, which is not stored. Raises ``Malformed``."""
    given = ProfileChange.read(document.document("profile"))
    return RenderProfile(
        given.name or "draft",
        given.content_format or ContentFormat.JSON,
        given.content_template or "",
        given.defaults or {},
    )


class Previews:
    """Renders profiles without changing anything; callers have been let in already."""

    def __init__(
        self, engine: AsyncEngine, profiles: Profiles, sealer: Sealer, renderer: Renderer
    ) -> None:
        """``sealer`` opens stored secrets where they are asked for."""
        self._engine = engine
        self._profiles = profiles
        self._sealer = sealer
        self._renderer = renderer

    async def render(self, domain_id: str, profile_id: str, request: PreviewRequest) -> str:
        """Return the rendered content.

        Raises ``NotFound``: profile or config; ``ProfileInvalid``: it does not render with this.
        """
        profile = await self._profiles.view(domain_id, profile_id)
        return await self.render_draft(domain_id, render_profile(profile), request)

    async def render_draft(
        self, domain_id: str, profile: RenderProfile, request: PreviewRequest
    ) -> str:
        """Return the rendered content of a profile that need not be stored.

        Raises ``NotFound``: config; ``ProfileInvalid``: it does not render with this.
        """
        config: Config | None = None
        stored: Sequence[Binding] = ()
        if request.config_id:
            config, stored = await self._stored(domain_id, request.config_id)
        bindings = {each.slot: self._opened(each, request) for each in stored}
        context = RenderContext(
            RenderDevice(
                config.id if config else request.device.id,
                config.external_id if config else request.device.external_id,
                domain_id,
            ),
            {
                **(config.render_context if config else {}),
                **request.render_context,
                **request.config_context,
            },
            {**bindings, **request.bindings},
        )
        try:
            return self._renderer.render(profile, context)
        except RenderError as error:
            details = {"line": error.line, "column": error.column, "variable": error.variable}
            raise ProfileInvalid(f"it does not render: {error}", details=details) from error

    async def _stored(self, domain_id: str, config_id: str) -> tuple[Config, Sequence[Binding]]:
        async with self._engine.connect() as connection:
            config = await config_rows.find(connection, domain_id, config_id)
            if config is None:
                raise configs.not_found(config_id)
            return config, await binding_rows.of_config(connection, config_id)

    def _opened(self, binding: Binding, request: PreviewRequest) -> RenderBinding:
        secret = binding_rows.open_secrets(
            self._sealer, binding.config_id, binding.slot, binding.sealed_secret
        )
        opened = RenderBinding(binding.type, binding.resource_id, binding.snapshot, secret)
        return opened if request.show_secrets else masked_binding(opened)


def render_profile(profile: Profile) -> RenderProfile:
    """Return what rendering needs of a profile."""
    return RenderProfile(
        profile.name, profile.content_format, profile.content_template, profile.defaults
    )
