"""``/mapping``: the one request that onboards a gateway, and the gateway afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from attrs import field, frozen
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.bodies import NOT_NULL, Body, described
from bootstrap_core.configs import ExternalID, ExternalKey
from bootstrap_core.enrollments import Enroller
from bootstrap_core.http.answers import JsonAnswer
from bootstrap_core.http.openapi import Operation, Parameter, Reply
from bootstrap_core.model import Caller, rfc3339, segment
from provision.api.app import enter, permit
from provision.api.gateways import (
    gateway_answer,
    mapping_answer,
    warnings_of_drift,
    warnings_of_leftovers,
    warnings_of_near,
    warnings_of_replaced,
)
from provision.api.plans import drift_answer, preview_answer
from provision.api.requests import BODIES, NAME_MOST, LayoutName, Name, Parameters, is_set
from provision.authentication import Authentication
from provision.layout.catalog import LayoutCatalog
from provision.onboarding.idempotency import Idempotency
from provision.onboarding.model import MappingRequest, Onboarding, OnExisting, Outcome, State
from provision.onboarding.preview import Planner, PreviewRequest
from provision.onboarding.service import Onboardings

OK, CREATED, ACCEPTED, NO_CONTENT = 200, 201, 202, 204
DRY_RUN = Parameter("dry_run", {"type": "boolean"}, "Answer the plan; create nothing")
LIVE = Parameter("live", {"type": "boolean"}, "Compare the record with the platform as well")
RECORD = Parameter("record", {"type": "boolean"}, "Show the record of a removed gateway, too")
LAYOUT = Parameter("layout", {"type": "string"}, "Name of the layout; default: the configured one")
IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key", {"type": "string"}, "The same key gives the same answer", place="header"
)


@frozen
class MappingBody:
    """What is sent to onboard a gateway."""

    body: ClassVar[Body] = Body("MappingRequest")

    external_id: Annotated[ExternalID, described(description="The ID that the device sends")]
    external_key: Annotated[ExternalKey, described(description="The secret that the device sends")]
    name: Annotated[
        Name | None, described(maxLength=NAME_MOST, description="Of the gateway's client")
    ] = None
    layout: Annotated[LayoutName, described(description="Default: the configured one")] = ""
    parameters: Annotated[
        Parameters, described(description="Values of the layout's parameters")
    ] = field(factory=dict)
    on_existing: Annotated[
        OnExisting,
        NOT_NULL,
        described(
            type="string",
            default="reuse",
            description="What to do with a gateway that exists. rotate: new secrets and "
            "certificates. replace: another gateway in its place",
        ),
    ] = OnExisting.REUSE
    csrs: Annotated[
        Mapping[str, str],
        described(
            description="PKCS #10 requests (PEM) of devices that hold their own key, "
            "by the layout's keys of their clients"
        ),
    ] = field(factory=dict)


@frozen
class MappingRoutes:
    """Handlers that decode, call and encode."""

    onboardings: Onboardings
    idempotency: Idempotency
    catalog: LayoutCatalog
    authentication: Authentication
    enroller: Enroller
    engine: AsyncEngine
    public_url: str
    planner: Planner

    def operations(self) -> list[Operation]:
        """Return what is served; a path without a domain means the caller's own."""
        found: list[Operation] = []
        for prefix, name in (("", ""), ("/{domain_id}", "InDomain")):
            found += [
                Operation(
                    method="POST",
                    path=f"{prefix}/mapping",
                    handler=self.create,
                    id=f"onboardGateway{name}",
                    summary="Onboard a gateway",
                    tag="mapping",
                    replies={
                        CREATED: Reply("Onboarded", "Mapping", headers={"Location": "The gateway"}),
                        OK: Reply("It existed, or dry_run was set", "MappingOrPlan"),
                    },
                    errors=(400, 401, 403, 404, 409, 413, 415, 422, 429, 502, 503, 504),
                    parameters=(DRY_RUN, IDEMPOTENCY_KEY),
                    body=MappingBody,
                ),
                *(
                    Operation(
                        method="GET",
                        path=f"{prefix}/mapping{slash}",
                        handler=self.content,
                        id=f"viewMappingContent{name}{'Slash' if slash else ''}",
                        summary="Show the bootstrap content of the layout",
                        tag="mapping",
                        replies={OK: Reply("The content", "MappingContent")},
                        errors=(400, 401, 403, 404, 422, 502, 503, 504),
                        parameters=(LAYOUT,),
                    )
                    for slash in ("", "/")
                ),
            ]
        return [*found, *self._gateway_operations()]

    def _gateway_operations(self) -> list[Operation]:
        path = "/{domain_id}/mapping/{external_id:path}"
        return [
            Operation(
                method="GET",
                path=path,
                handler=self.view,
                id="viewGateway",
                summary="Show a gateway as it is recorded",
                tag="mapping",
                replies={OK: Reply("The gateway", "Gateway")},
                errors=(401, 403, 404, 502, 503, 504),
                parameters=(LIVE, RECORD),
            ),
            Operation(
                method="DELETE",
                path=path,
                handler=self.remove,
                id="removeGateway",
                summary="Cut the device off and remove the gateway",
                tag="mapping",
                replies={
                    NO_CONTENT: Reply("Nothing is left of it"),
                    OK: Reply("Removed, with leftovers on the platform", "Gateway"),
                    ACCEPTED: Reply("It goes on in the background", "Gateway"),
                },
                errors=(401, 403, 404, 409, 502, 503, 504),
            ),
        ]

    async def create(self, request: Request) -> Response:
        """Onboard a gateway."""
        caller, (document, wanted, free_in) = await self._understood(request)
        is_free = free_in == caller.domain_id
        if _is_dry_run(request):
            self.onboardings.plan(caller.domain_id, wanted)
            given = wanted.parameters if "parameters" in document else None
            wish = PreviewRequest(wanted.external_id, wanted.layout, wanted.name, given)
            await self._permit(request, caller, wanted, "dry_run")
            return JsonAnswer(preview_answer(await self.planner.preview(caller, wish)))

        if not is_free:
            await self._permit(request, caller, wanted, *_conditions(wanted))

        async def onboard() -> tuple[int, Mapping[str, Any]]:
            done = await self.onboardings.map(caller, wanted, is_free=is_free)
            if done.outcome is not Outcome.CREATED:
                # Should it have come to be since, its secrets are shown to whoever may change it.
                await self._permit(request, caller, wanted, "existing")
            status = CREATED if done.outcome in (Outcome.CREATED, Outcome.REPLACED) else OK
            answer = mapping_answer(done, self._base_url(request))
            if warnings := [warning async for warning in self._warnings(caller, done)]:
                answer["warnings"] = warnings
            return status, answer

        key = request.headers.get("idempotency-key")
        status, answer = await (
            self.idempotency.once(caller.domain_id, key, document, onboard) if key else onboard()
        )
        headers = {}
        if status == CREATED:
            gateway = segment(wanted.external_id)
            headers["Location"] = f"/{caller.domain_id}/mapping/{gateway}"
        return JsonAnswer(answer, status, headers)

    async def _warnings(self, caller: Caller, done: Onboarding) -> AsyncIterator[Mapping[str, Any]]:
        for warning in warnings_of_leftovers(done.leftovers):
            yield warning
        if done.outcome is Outcome.REPLACED and done.replaces:
            old = await self.onboardings.unremoved(caller.domain_id, done.replaces)
            for warning in warnings_of_replaced(old):
                yield warning
        if done.outcome is Outcome.REUSED:
            drift = await self.planner.look(caller, done, whole=False)
            for warning in warnings_of_drift(drift):
                yield warning
        if done.outcome in (Outcome.CREATED, Outcome.REUSED):
            near = await self.onboardings.near(caller.domain_id, done.external_id)
            for warning in warnings_of_near(near):
                yield warning

    async def _permit(
        self, request: Request, caller: Caller, wanted: MappingRequest, *conditions: str
    ) -> None:
        await permit(
            self.authentication, caller, request, *conditions, external_id=wanted.external_id
        )

    async def content(self, request: Request) -> Response:
        """Answer the bootstrap content of the layout, as the Go service does."""
        await enter(self.authentication, request)
        layout = self.catalog.get(request.query_params.get("layout", ""))
        return JsonAnswer(layout.bootstrap.content)

    async def view(self, request: Request) -> Response:
        """Answer a gateway as it is recorded, and with ``live`` as the platform has it."""
        caller = await enter(self.authentication, request)
        external_id = request.path_params["external_id"]
        if is_set(request, "live"):
            await permit(self.authentication, caller, request, "live")
        if is_set(request, "record"):
            found = await self.onboardings.view(caller, external_id)
        else:
            found = await self.onboardings.view_present(caller, external_id)
        async with self.engine.connect() as connection:
            enrolled = await self.enroller.view_device(
                connection, caller.domain_id, found.external_id
            )
        answer = gateway_answer(found, enrolled)
        now = datetime.now(UTC)
        age = max(0, int((now - found.updated_at).total_seconds()))
        answer["record"] = {"as_of": rfc3339(found.updated_at), "age_seconds": age}
        if near := await self.onboardings.near(caller.domain_id, external_id):
            answer["near"] = near
        if is_set(request, "live"):
            drift = await self.planner.look(caller, found, whole=True)
            if drift.unknown is not None:
                raise drift.unknown
            answer |= {"checked_at": rfc3339(now), "drift": drift_answer(drift)}
        return JsonAnswer(answer)

    async def remove(self, request: Request) -> Response:
        """Remove a gateway: 204 when nothing is left, 202 while it goes on.

        The answer is 200 with its record where it is removed, and the platform may keep the half of
        something that it never made whole.
        """
        caller = await enter(self.authentication, request)
        left = await self.onboardings.remove(caller, request.path_params["external_id"])
        if left.state is not State.UNDONE:
            return JsonAnswer(gateway_answer(left, None), ACCEPTED)
        if left.leftovers:
            return JsonAnswer(gateway_answer(left, None))
        return Response(status_code=NO_CONTENT)

    async def _understood(
        self, request: Request
    ) -> tuple[Caller, tuple[Mapping[str, Any], MappingRequest, str]]:
        """Return who asks for what; the body is read while the platform is asked who it is."""
        reading = asyncio.ensure_future(self._wanted(request))
        try:
            caller = await enter(self.authentication, request)
        except BaseException:
            # Whoever may not onboard is told so at once, whatever the body is.
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            raise
        return caller, await reading

    async def _wanted(self, request: Request) -> tuple[Mapping[str, Any], MappingRequest, str]:
        """Return the body, what it says, and the domain in which its external ID is free."""
        document = await BODIES.document(request)
        wanted = self._decode(document)
        domain_id = request.path_params.get("domain_id", "")
        if not domain_id or _is_dry_run(request):
            return document, wanted, ""
        is_free = await self.onboardings.prefetch(domain_id, wanted.external_id)
        return document, wanted, domain_id if is_free else ""

    def _decode(self, document: Mapping[str, Any]) -> MappingRequest:
        sent = BODIES.made(document, MappingBody)
        return MappingRequest(
            external_id=sent.external_id,
            external_key=sent.external_key,
            layout=self.catalog.get(sent.layout),
            name=sent.name,
            parameters=sent.parameters,
            on_existing=sent.on_existing,
            csrs=sent.csrs,
        )

    def _base_url(self, request: Request) -> str:
        return self.public_url or str(request.base_url).rstrip("/")


def _conditions(wanted: MappingRequest) -> tuple[str, ...]:
    match wanted.on_existing:
        case OnExisting.REPLACE:
            return ("existing", "replace")
        case OnExisting.REPAIR | OnExisting.ROTATE:
            return ("existing", "mend")
    return ("existing",)


def _is_dry_run(request: Request) -> bool:
    return is_set(request, "dry_run")
