"""What a device would be given, for people who look at it: a profile's preview, a config's own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from attrs import evolve, field, frozen
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core import configs
from bootstrap_core.bodies import GIVEN, SAID_TO_BE_REQUIRED, Body, Read, described
from bootstrap_core.configs import Configs
from bootstrap_core.delivery.answers import Parts, PartsMaker, encode, masked_binding
from bootstrap_core.errors import NotFound, ProfileInvalid, RenderError
from bootstrap_core.formats.profile_documents import ProfileChange
from bootstrap_core.formats.rendering import (
    ContentFormat,
    RenderBinding,
    RenderContext,
    RenderDevice,
    Renderer,
    RenderProfile,
)
from bootstrap_core.model import BINDING, Binding, Config, Fetch, Profile, Status, status_of
from bootstrap_core.profiles import Profiles
from bootstrap_core.secrets import Sealer
from bootstrap_core.store import binding_rows, config_rows
from bootstrap_core.store.device_reads import DeviceReads, DeviceRow


@frozen
class Inspected:
    """A config's answer as it would be now, and the device's last fetch.

    ``digest`` is the SHA-256 of the body that the device would get, in hex; ``unchanged`` tells
    whether its last fetch gave it the same one, and is None where it never got any.
    """

    config: Config
    parts: Parts
    digest: str
    last_fetch: Fetch | None
    unchanged: bool | None


class Inspection:
    """Makes devices' answers without answering any device; callers have been let in already."""

    def __init__(self, configs: Configs, reads: DeviceReads, maker: PartsMaker) -> None:
        """Take what is stored, and what makes answers of it."""
        self._configs = configs
        self._reads = reads
        self._maker = maker

    async def masked(self, domain_id: str, config_id: str) -> Inspected:
        """Return the answer, secrets masked. Raises ``NotFound`` and ``NotRenderable``."""
        found, rows = await self._inspect(domain_id, config_id)
        parts = await self._maker.masked(rows[0], found.config.external_id, found.parts)
        return evolve(found, parts=parts)

    async def whole(self, domain_id: str, config_id: str) -> Inspected:
        """Return the answer with its secrets. Raises ``NotFound`` and ``NotRenderable``."""
        found, _ = await self._inspect(domain_id, config_id)
        return found

    async def _inspect(
        self, domain_id: str, config_id: str
    ) -> tuple[Inspected, Sequence[DeviceRow]]:
        config, fetch = await self._configs.view_with_content(domain_id, config_id)
        found = await self._reads.rows(config.external_id, domain_id)
        rows = [each for each in found if each.config_id == config_id]
        if not rows:
            raise NotFound(f"config {config_id} was removed just now")
        whole = await self._maker.parts(rows, config.external_id)
        digests = [
            hashlib.sha256(encode(whole, dialect)).hexdigest() for dialect in ("device", "thing")
        ]
        got = fetch.digest if fetch else ""
        unchanged = got in digests if got else None
        return Inspected(config, whole, digests[0], fetch, unchanged), rows


@frozen
class PreviewConfig:
    """A config that need not be stored, as a preview takes it."""

    body: ClassVar[Body] = Body(known=configs.CONFIG)

    id: str = ""
    external_id: str = ""
    render_context: Mapping[str, Any] = field(factory=dict)
    status: Annotated[Status | None, Read(status_of)] = None


@frozen
class PreviewBinding:
    """A binding that need not be stored, as a preview takes it."""

    body: ClassVar[Body] = Body(known=BINDING)

    slot: Annotated[str, GIVEN]
    type: str = ""
    resource_id: str = ""
    snapshot: Mapping[str, Any] = field(factory=dict)
    secret_snapshot: Mapping[str, Any] = field(factory=dict, repr=False)

    def rendered(self) -> RenderBinding:
        """Return it as templates see it."""
        return RenderBinding(
            self.type, self.resource_id, self.snapshot or None, self.secret_snapshot or None
        )


@frozen
class PreviewRequest:
    """What to render a profile with.

    ``config_id`` names a stored config, whose bindings are used as well, their secrets masked
    unless ``show_secrets`` asks for them. Of the variables, those of the inline config win over
    the request's, these over the stored config's, these over the profile's defaults.
    """

    body: ClassVar[Body] = Body("PreviewRequest", known=("profile",))

    config_id: str = ""
    config: PreviewConfig = field(factory=PreviewConfig)
    render_context: Mapping[str, Any] = field(factory=dict)
    bindings: Sequence[PreviewBinding] = field(default=(), repr=False)
    show_secrets: Annotated[bool, described(description="Show the stored bindings' secrets")] = (
        False
    )


@frozen
class DraftPreviewRequest(PreviewRequest):
    """What to render with a profile that is sent along and not stored."""

    body: ClassVar[Body] = Body("DraftPreviewRequest", known=())

    profile: Annotated[ProfileChange, SAID_TO_BE_REQUIRED] = field(factory=ProfileChange)

    def draft(self) -> RenderProfile:
        """Return the profile that is sent along."""
        given = self.profile
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
                config.id if config else request.config.id,
                config.external_id if config else request.config.external_id,
                domain_id,
            ),
            {
                **(config.render_context if config else {}),
                **request.render_context,
                **request.config.render_context,
            },
            {**bindings, **{each.slot: each.rendered() for each in request.bindings}},
        )
        try:
            return await self._renderer.rendered(profile, context, f"previews of {domain_id}")
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
