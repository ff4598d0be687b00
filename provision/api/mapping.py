"""``/mapping``: the one request that onboards a gateway, and the gateway afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from attrs import frozen
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.enrolling import Enroller
from bootstrap_core.model import Caller
from bootstrap_core.openapi import JSON, Operation, Parameter, Reply
from bootstrap_core.secret import Secret
from provision.api.answers import JsonAnswer
from provision.api.decoding import Fields, read_object
from provision.api.gateways import gateway_answer, mapping_answer
from provision.api.plans import preview_answer
from provision.authentication import Authentication, token_of
from provision.layout.catalog import LayoutCatalog
from provision.onboarding.idempotency import Idempotency
from provision.onboarding.mapping_request import MappingRequest
from provision.onboarding.model import Outcome, State
from provision.onboarding.on_existing import OnExisting
from provision.onboarding.planning import Planner, Wish
from provision.onboarding.service import Onboardings

EXTERNAL_MOST = 1024
NAME_MOST = 1024
FIELDS = ("external_id", "external_key", "name", "layout", "parameters", "on_existing", "csrs")
TRUE = ("true", "1")
OK, CREATED, ACCEPTED, NO_CONTENT = 200, 201, 202, 204
DRY_RUN = Parameter("dry_run", {"type": "boolean"}, "Answer the plan; create nothing")
LAYOUT = Parameter("layout", {"type": "string"}, "Name of the layout; default: the configured one")
IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key", {"type": "string"}, "The same key gives the same answer", place="header"
)


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
                        OK: Reply("It existed, or dry_run was asked for", "MappingOrPlan"),
                    },
                    errors=(400, 401, 403, 404, 409, 413, 415, 422, 502, 503, 504),
                    parameters=(DRY_RUN, IDEMPOTENCY_KEY),
                    body={JSON: "MappingRequest"},
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
                summary="Show a gateway as it is",
                tag="mapping",
                replies={OK: Reply("The gateway", "Gateway")},
                errors=(401, 403, 404, 502, 503, 504),
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
                    ACCEPTED: Reply("It goes on in the background", "Gateway"),
                },
                errors=(401, 403, 404, 409, 502, 503, 504),
            ),
        ]

    async def create(self, request: Request) -> Response:
        """Onboard a gateway."""
        caller, (document, wanted) = await self._understood(request)
        if _is_dry_run(request):
            self.onboardings.plan(caller.domain_id, wanted)
            given = wanted.parameters if "parameters" in document else None
            wish = Wish(wanted.external_id, wanted.layout, wanted.name, given)
            return JsonAnswer(preview_answer(await self.planner.preview(caller, wish)))

        async def onboard() -> tuple[int, Mapping[str, Any]]:
            done = await self.onboardings.map(caller, wanted)
            status = CREATED if done.outcome in (Outcome.CREATED, Outcome.REPLACED) else OK
            return status, mapping_answer(done, self._base_url(request))

        key = request.headers.get("idempotency-key")
        status, answer = await (
            self.idempotency.once(caller.domain_id, key, document, onboard) if key else onboard()
        )
        headers = {}
        if status == CREATED:
            gateway = quote(wanted.external_id, safe="")
            headers["Location"] = f"/{caller.domain_id}/mapping/{gateway}"
        return JsonAnswer(answer, status, headers)

    async def content(self, request: Request) -> Response:
        """Answer the bootstrap content of the layout, as the Go service does."""
        await self._caller(request)
        layout = self.catalog.get(request.query_params.get("layout", ""))
        return JsonAnswer(layout.bootstrap.content)

    async def view(self, request: Request) -> Response:
        """Answer a gateway as it is."""
        caller = await self._caller(request)
        found = await self.onboardings.view(caller, request.path_params["external_id"])
        async with self.engine.connect() as connection:
            enrolled = await self.enroller.view_device(
                connection, caller.domain_id, found.external_id
            )
        return JsonAnswer(gateway_answer(found, enrolled))

    async def remove(self, request: Request) -> Response:
        """Remove a gateway: 204 when nothing is left, 202 while it goes on."""
        caller = await self._caller(request)
        left = await self.onboardings.remove(caller, request.path_params["external_id"])
        if left.state is State.UNDONE:
            return Response(status_code=NO_CONTENT)
        return JsonAnswer(gateway_answer(left, None), ACCEPTED)

    async def _understood(
        self, request: Request
    ) -> tuple[Caller, tuple[Mapping[str, Any], MappingRequest]]:
        """Return who asks for what; the body is read while the platform is asked who it is."""
        reading = asyncio.ensure_future(self._wanted(request))
        try:
            caller = await self._caller(request)
        except BaseException:
            # Whoever may not onboard is told so at once, whatever the body is.
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            raise
        return caller, await reading

    async def _caller(self, request: Request) -> Caller:
        token = token_of(request.headers.get("authorization"))
        caller = await self.authentication.identify(token, request.path_params.get("domain_id"))
        await self.onboardings.welcome(caller)
        return caller

    async def _wanted(self, request: Request) -> tuple[Mapping[str, Any], MappingRequest]:
        document = await read_object(request)
        wanted = self._decode(document)
        domain_id = request.path_params.get("domain_id")
        if domain_id and not _is_dry_run(request):
            wanted = await self.onboardings.look_ahead(domain_id, wanted)
        return document, wanted

    def _decode(self, document: Mapping[str, Any]) -> MappingRequest:
        fields = Fields(document, FIELDS)
        external_id = fields.text("external_id", most_bytes=EXTERNAL_MOST, required=True)
        external_key = fields.text("external_key", most_bytes=EXTERNAL_MOST, required=True)
        name = fields.text("name", most_bytes=4 * NAME_MOST, required=False)
        if name and len(name) > NAME_MOST:
            fields.refuse("name", f"is {len(name)} characters long; at most {NAME_MOST}")
        layout = fields.text("layout", most_bytes=255, required=False)
        parameters = fields.object("parameters")
        on_existing = fields.one_of("on_existing", [*OnExisting], OnExisting.REUSE)
        csrs = fields.object("csrs")
        for key, csr in csrs.items():
            if not isinstance(csr, str):
                fields.refuse(f"csrs.{key}", "must be a text: a PKCS #10 request in PEM form")
        fields.finish()
        return MappingRequest(
            external_id=external_id or "",
            external_key=Secret(external_key or ""),
            layout=self.catalog.get(layout or ""),
            name=name,
            parameters=parameters,
            on_existing=OnExisting(on_existing),
            csrs=csrs,
        )

    def _base_url(self, request: Request) -> str:
        return self.public_url or str(request.base_url).rstrip("/")


def _is_dry_run(request: Request) -> bool:
    return request.query_params.get("dry_run", "").lower() in TRUE
