"""``/plan`` and ``/mapping?dry_run=true``: what a request would do, as JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final

from attrs import field, frozen
from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.bodies import Body, Wrong, described
from bootstrap_core.configs import ExternalID
from bootstrap_core.http.answers import JsonAnswer
from bootstrap_core.http.openapi import Operation, Reply
from bootstrap_core.model import rfc3339
from bootstrap_core.work import LongWork
from provision.api.app import enter, permit
from provision.api.gateways import plan_answer
from provision.api.requests import BODIES, NAME_MOST, LayoutName, Parameters, filled
from provision.authentication import Authentication
from provision.layout.catalog import LayoutCatalog
from provision.layout.errors import TemplateFileError
from provision.layout.model import Layout
from provision.onboarding.drift import Action, Drift, DriftFinder, FieldChange
from provision.onboarding.preview import Planner, Preview, PreviewRequest, Rendered
from provision.onboarding.service import Onboardings

TAIL: Final = "/drift"
OK: Final = 200


@frozen
class DriftRoutes:
    """Handlers that decode, call and encode. ``gateway`` shows the gateway itself."""

    onboardings: Onboardings
    finder: DriftFinder
    authentication: Authentication
    gateway: Callable[[Request], Awaitable[Response]]

    def operations(self) -> list[Operation]:
        """Return what is served; it stands before the route that shows a gateway."""
        return [
            Operation(
                method="GET",
                path=f"/{{domain_id}}/mapping/{{external_id:path}}{TAIL}",
                handler=self.view,
                id="viewGatewayDrift",
                summary="Show what was deleted or changed on the platform",
                tag="mapping",
                replies={OK: Reply("The differences, if any", "Drift")},
                errors=(401, 403, 404, 502, 503, 504),
            )
        ]

    async def view(self, request: Request) -> Response:
        """Answer the drift of a gateway; an error where the platform can't be asked."""
        if not request.scope.get("raw_path", TAIL.encode()).endswith(TAIL.encode()):
            # The slash was escaped: it is the end of the external ID.
            request.path_params["external_id"] += TAIL
            return await self.gateway(request)
        caller = await enter(self.authentication, request)
        found = await self.onboardings.view(caller, request.path_params["external_id"])
        drift = await self.finder.find(caller, found)
        if drift.unknown is not None:
            raise drift.unknown
        return JsonAnswer(
            {
                "external_id": found.external_id,
                "state": found.state.value,
                "checked_at": rfc3339(datetime.now(UTC)),
                "drift": drift_answer(drift),
            }
        )


def drift_answer(drift: Drift) -> list[dict[str, Any]]:
    """Return the differences one by one."""
    return [
        {
            "what": each.drift.value,
            "kind": each.kind,
            "key": each.key,
            "cure": each.remedy.value,
            "fields": fields_answer(each.fields),
        }
        for each in drift.differences
    ]


def fields_answer(fields: Mapping[str, FieldChange]) -> dict[str, Any]:
    """Return fields before and after."""
    return {
        name: {"before": change.before, "after": change.after} for name, change in fields.items()
    }


@frozen
class PlanBody:
    """What is sent to plan a gateway."""

    body: ClassVar[Body] = Body("PlanRequest")

    external_id: ExternalID
    name: Annotated[str, filled(4 * NAME_MOST)] | None = None
    layout: LayoutName = ""
    parameters: Annotated[
        Parameters,
        described(description="default: those of the gateway that exists"),
    ] = field(factory=dict)
    files: Annotated[
        Mapping[str, str],
        described(description="a layout that is not served: NAME.toml and the files it names"),
    ] = field(factory=dict)

    def faults(self) -> Iterator[Wrong]:
        """Yield that the layout itself is not among the files."""
        if self.files and f"{self.layout}.toml" not in self.files:
            told = f'must have the layout itself, "{self.layout or "NAME"}.toml"'
            yield Wrong(told, at="files")


@frozen
class PlanRoutes:
    """Handlers that decode, call and encode."""

    planner: Planner
    catalog: LayoutCatalog
    authentication: Authentication
    long_work: LongWork = field(factory=LongWork)

    def operations(self) -> list[Operation]:
        """Return what is served."""
        return [
            Operation(
                method="POST",
                path="/{domain_id}/plan",
                handler=self.create,
                id="planGateway",
                summary="Plan: show what a layout, served or sent along, would change",
                tag="mapping",
                replies={OK: Reply("What would be added, changed and removed", "Plan")},
                errors=(400, 401, 403, 413, 415, 422, 429, 502, 503, 504),
                body=PlanBody,
            )
        ]

    async def create(self, request: Request) -> Response:
        """Plan a gateway; nothing is created."""
        caller = await enter(self.authentication, request)
        document = await BODIES.document(request)
        if document.get("files"):
            await permit(self.authentication, caller, request, "files")
        wish = await self._decode(document, caller.domain_id)
        return JsonAnswer(preview_answer(await self.planner.preview(caller, wish)))

    async def _decode(self, document: Mapping[str, Any], domain_id: str) -> PreviewRequest:
        sent = BODIES.made(document, PlanBody)
        found = await self._layout(sent.layout, sent.files, domain_id)
        given = sent.parameters if "parameters" in document else None
        return PreviewRequest(sent.external_id, found, sent.name, given)

    async def _layout(self, layout: str, files: Mapping[str, str], domain_id: str) -> Layout:
        if not files:
            return self.catalog.get(layout)

        def load(name: str) -> str:
            if name not in files:
                raise TemplateFileError(f'file "{name}" was not sent along')
            return files[name]

        def read() -> Layout:
            return self.catalog.read_given(layout, files[f"{layout}.toml"], load)

        return await self.long_work.run(f"plans of {domain_id}", read)


def preview_answer(preview: Preview) -> dict[str, Any]:
    """Return what a request would do."""
    answer = plan_answer(preview.plan)
    answer["external_id"] = preview.plan.external_id
    answer["exists"] = preview.before is not None
    answer["changes"] = [
        {
            "action": each.action.value,
            "kind": each.kind,
            "key": each.key,
            "fields": fields_answer(each.fields),
        }
        for each in preview.changes
    ]
    answer["summary"] = {
        action.value: sum(each.action is action for each in preview.changes) for action in Action
    }
    answer["drift"] = drift_answer(preview.drift)
    if unknown := preview.drift.unknown:
        answer["drift_unknown"] = {"code": unknown.code, "message": unknown.message}
    answer["rendered"] = _rendered(preview.rendered)
    if preview.before is not None:
        answer["rendered_before"] = _rendered(preview.before)
    return answer


def _rendered(rendered: Rendered) -> dict[str, str]:
    return {"error": rendered.error} if rendered.error else {"content": rendered.content}
