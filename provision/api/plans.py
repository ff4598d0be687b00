"""``/plan`` and ``/mapping?dry_run=true``: what a request would do, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.openapi import JSON, Operation, Reply
from provision.api.answers import JsonAnswer
from provision.api.decoding import Fields, read_object
from provision.api.drift import drift_answer, fields_answer
from provision.api.gateways import plan_answer
from provision.authentication import Authentication, token_of
from provision.layout.catalog import LayoutCatalog
from provision.layout.errors import TemplateFileError
from provision.layout.model import Layout
from provision.onboarding.comparison import Action
from provision.onboarding.planning import Planner, Preview, Rendered, Wish

FIELDS = ("external_id", "name", "layout", "parameters", "files")
EXTERNAL_MOST = 1024
OK = 200


@frozen
class PlanRoutes:
    """Handlers that decode, call and encode."""

    planner: Planner
    catalog: LayoutCatalog
    authentication: Authentication

    def operations(self) -> list[Operation]:
        """Return what is served."""
        return [
            Operation(
                method="POST",
                path="/{domain_id}/plan",
                handler=self.create,
                id="planGateway",
                summary="Tell what a layout, served or sent along, would change of a gateway",
                tag="mapping",
                replies={OK: Reply("What would be added, changed and removed", "Plan")},
                errors=(400, 401, 403, 413, 415, 422, 502, 503, 504),
                body={JSON: "PlanRequest"},
            )
        ]

    async def create(self, request: Request) -> Response:
        """Plan a gateway; nothing is created."""
        token = token_of(request.headers.get("authorization"))
        caller = await self.authentication.identify(token, request.path_params["domain_id"])
        wish = self._decode(await read_object(request))
        return JsonAnswer(preview_answer(await self.planner.preview(caller, wish)))

    def _decode(self, document: Mapping[str, Any]) -> Wish:
        fields = Fields(document, FIELDS)
        external_id = fields.text("external_id", most_bytes=EXTERNAL_MOST, required=True)
        name = fields.text("name", most_bytes=4 * EXTERNAL_MOST, required=False)
        layout = fields.text("layout", most_bytes=255, required=False)
        parameters = fields.object("parameters") if "parameters" in document else None
        files = fields.object("files")
        for file, text in files.items():
            if not isinstance(text, str):
                fields.refuse(f"files.{file}", "must be the text of the file")
        if files and f"{layout}.toml" not in files:
            fields.refuse("files", f'must have the layout itself, "{layout or "NAME"}.toml"')
        fields.finish()
        return Wish(external_id or "", self._layout(layout or "", files), name, parameters)

    def _layout(self, layout: str, files: Mapping[str, str]) -> Layout:
        if not files:
            return self.catalog.get(layout)

        def load(name: str) -> str:
            if name not in files:
                raise TemplateFileError(f'file "{name}" was not sent along')
            return files[name]

        return self.catalog.read_given(layout, files[f"{layout}.toml"], load)


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
