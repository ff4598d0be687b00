"""``/layouts``: which layouts are served, and what is wrong with those that are not."""

from __future__ import annotations

from typing import Any

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.openapi import Operation, Reply
from provision.api.answers import JsonAnswer
from provision.authentication import Authentication, token_of
from provision.layout.catalog import LayoutCatalog, LayoutState


@frozen
class LayoutRoutes:
    """Handlers that decode, call and encode."""

    catalog: LayoutCatalog
    authentication: Authentication

    def operations(self) -> list[Operation]:
        """Return what is served."""
        return [
            Operation(
                method="GET",
                path="/layouts",
                handler=self.list,
                id="listLayouts",
                summary="List the layouts, with what is wrong with broken ones",
                tag="layouts",
                replies={200: Reply("All layouts", "LayoutPage")},
                errors=(401, 403, 502, 503, 504),
            )
        ]

    async def list(self, request: Request) -> Response:
        """List the layouts."""
        await self.authentication.authenticate(token_of(request.headers.get("authorization")))
        return JsonAnswer(
            {
                "default": self.catalog.default,
                "layouts": [_state(each) for each in self.catalog.states],
            }
        )


def _state(state: LayoutState) -> dict[str, Any]:
    answer: dict[str, Any] = {"name": state.name, "file": state.file, "good": state.good}
    if state.layout is not None:
        answer |= {
            "description": state.layout.description,
            "digest": state.layout.digest,
            "dialect": state.layout.dialect.value,
            "parameters": [
                {
                    "name": each.name,
                    "type": each.type,
                    "required": each.required,
                    "default": each.default,
                    "enum": list(each.enum),
                    "pattern": each.pattern,
                    "description": each.description,
                }
                for each in state.layout.parameters
            ],
        }
    answer["problems"] = [each.headline for each in state.problems]
    return answer
