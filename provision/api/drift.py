"""``/{domain_id}/mapping/{external_id}/drift``: how a gateway differs from what was made of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.model import rfc3339
from bootstrap_core.openapi import Operation, Reply
from provision.api.answers import JsonAnswer
from provision.authentication import Authentication, token_of
from provision.onboarding.comparison import FieldChange
from provision.onboarding.drift import Drift, DriftFinder
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
                summary="Tell what of a gateway was deleted or changed on the platform",
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
        token = token_of(request.headers.get("authorization"))
        caller = await self.authentication.identify(token, request.path_params["domain_id"])
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
    """Return the deviations one by one."""
    return [
        {
            "what": each.fate.value,
            "kind": each.kind,
            "key": each.key,
            "cure": each.cure.value,
            "fields": fields_answer(each.fields),
        }
        for each in drift.deviations
    ]


def fields_answer(fields: Mapping[str, FieldChange]) -> dict[str, Any]:
    """Return fields before and after."""
    return {
        name: {"before": change.before, "after": change.after} for name, change in fields.items()
    }
