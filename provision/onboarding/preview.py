"""What a request would do, before it is made: changes and the device's configuration.

Nothing is created. A gateway that exists is compared as the journal has it; how it drifted from
that on the platform is told apart.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from attrs import evolve, field, frozen
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.enrollments import Enroller
from bootstrap_core.errors import NotFound, RenderError
from bootstrap_core.formats.rendering import (
    RenderBinding,
    RenderContext,
    RenderDevice,
    Renderer,
    RenderProfile,
)
from bootstrap_core.model import Caller, Resource, ResourceType, certificate_resource
from bootstrap_core.secrets import Secret
from bootstrap_core.work import beside_loop
from provision.layout.model import (
    GatewayRequest,
    InlineProfile,
    JsonObject,
    Layout,
    ProfileReference,
)
from provision.layout.plan import Plan, PlannedBinding, PlannedClient
from provision.onboarding.drift import (
    Change,
    Drift,
    DriftFinder,
    compare,
    plan_against,
    with_kept_secrets,
    without_secrets,
)
from provision.onboarding.enrollment import resource_of
from provision.onboarding.journal import Journal
from provision.onboarding.model import Onboarding


@frozen
class PreviewRequest:
    """A request to be looked at.

    Where ``name`` or ``parameters`` is ``None``, those of the gateway that exists are taken.
    """

    external_id: str
    layout: Layout
    name: str | None = None
    parameters: JsonObject | None = None


@frozen
class Rendered:
    """A device's configuration, or why it cannot be rendered. Secrets are words in it."""

    content: str = ""
    error: str = ""


@frozen
class Preview:
    """What a request would do. ``before`` is ``None`` where there is no gateway yet.

    ``drift`` is what became of the present gateway on the platform since it was made.
    """

    plan: Plan
    changes: tuple[Change, ...]
    rendered: Rendered
    before: Rendered | None = None
    drift: Drift = field(factory=Drift)


@frozen
class _UsedProfile:
    profile: RenderProfile
    fields: dict[str, tuple[str, ...]] = field(factory=dict)


@frozen
class Planner:
    """Plans requests without making them."""

    journal: Journal
    engine: AsyncEngine
    enroller: Enroller
    drift: DriftFinder
    _renderer: Renderer = field(factory=Renderer, init=False)

    async def preview(self, caller: Caller, wanted: PreviewRequest) -> Preview:
        """Return what ``wanted`` would do in the caller's domain.

        Raises the layout's ``ParameterError`` and ``ExpansionError``.
        """
        present = await self.journal.current(caller.domain_id, wanted.external_id)
        old = present.plan if present else None
        request = GatewayRequest(
            domain_id=caller.domain_id,
            external_id=wanted.external_id,
            name=wanted.name or (_given_name(old) if old else None),
            parameters=_parameters(wanted, old),
        )
        # A layout that was sent along may ask for as much work as it likes to.
        plan = await beside_loop(partial(plan_against, wanted.layout, request, old))
        return Preview(
            plan=plan,
            changes=await beside_loop(partial(compare, old, plan)),
            rendered=await self._rendered(plan),
            before=await self._rendered(old) if old else None,
            drift=await self.drift.find(caller, present) if present else Drift(),
        )

    async def look(self, caller: Caller, onboarding: Onboarding, *, whole: bool) -> Drift:
        """Return the drift of a gateway that is there: of all of it, or of its clients alone."""
        find = self.drift.find if whole else self.drift.find_clients
        return await find(caller, onboarding)

    async def _rendered(self, plan: Plan) -> Rendered:
        """Return what the device would be given for ``plan``."""
        if plan.config is None:
            return Rendered()
        try:
            used = await self._profile(plan)
        except NotFound as error:
            return Rendered(error=str(error))
        if used is None:
            return Rendered(plan.config.content)
        context = RenderContext(
            RenderDevice(plan.config.id, plan.external_id, plan.domain_id),
            plan.config.render_context,
            {
                binding.slot: _render_binding(plan, binding, used.fields.get(binding.slot, ()))
                for binding in plan.bindings
            },
        )
        try:
            caller = f"plans of {plan.domain_id}"
            made = await self._renderer.rendered(used.profile, context, caller, in_turn=True)
            return Rendered(made)
        except RenderError as error:
            return Rendered(error=str(error))

    async def _profile(self, plan: Plan) -> _UsedProfile | None:
        match plan.profile:
            case InlineProfile() as inline:
                return _UsedProfile(
                    RenderProfile(
                        inline.name,
                        inline.content_format,
                        inline.content_template,
                        inline.defaults,
                    ),
                    {slot.name: slot.fields for slot in inline.binding_slots},
                )
            case ProfileReference(id=profile_id, name=name):
                async with self.engine.connect() as connection:
                    found = await self.enroller.find_profile(
                        connection, plan.domain_id, profile_id or name
                    )
                return _UsedProfile(
                    RenderProfile(
                        found.name, found.content_format, found.content_template, found.defaults
                    ),
                    {slot.name: tuple(slot.fields) for slot in found.binding_slots},
                )
        return None


def _given_name(plan: Plan) -> str | None:
    """Return the name that the gateway was given by its request, if it looks like one.

    A name with the external ID in it is the layout's making, and follows the layout's changes.
    """
    return None if plan.external_id in plan.name else plan.name


def _parameters(wanted: PreviewRequest, old: Plan | None) -> JsonObject:
    if wanted.parameters is not None or old is None:
        return with_kept_secrets(wanted.parameters or {}, old)
    declared = {parameter.name for parameter in wanted.layout.parameters}
    kept = {name: value for name, value in old.parameters.items() if name in declared}
    return with_kept_secrets(kept, old)


def _render_binding(plan: Plan, binding: PlannedBinding, fields: tuple[str, ...]) -> RenderBinding:
    resource = _resource(plan, binding)

    def kept(values: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in values.items() if not fields or key in fields}

    secrets = {key: value.reveal() for key, value in resource.secret.items()}
    return RenderBinding(
        binding.type.value, resource.id, kept(dict(resource.snapshot)), kept(secrets) or None
    )


def _resource(plan: Plan, binding: PlannedBinding) -> Resource:
    entity = plan.entity(binding.resource_id)
    if binding.type is not ResourceType.CERTIFICATE:
        if isinstance(entity, PlannedClient):
            entity = evolve(entity, secret=without_secrets(plan)[entity.id])
        return resource_of(entity, plan.domain_id)
    made = certificate_resource(
        f"(serial number for {entity.key})",
        client_id=entity.id,
        certificate=f"(certificate of {entity.key})",
        private_key=Secret(f"(private key of {entity.key})"),
    )
    return evolve(made, snapshot={**made.snapshot, "expires_at": f"(end for {entity.key})"})
