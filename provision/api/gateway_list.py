"""``/{domain_id}/gateways``: the gateways of a domain, for people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.model import rfc3339
from bootstrap_core.openapi import Operation, Parameter, Reply
from provision.api.answers import JsonAnswer
from provision.api.queries import number_of, page_parameters, state_of
from provision.authentication import Authentication, token_of
from provision.onboarding.gateway_list import GatewayLine, GatewayList, GatewayQuery
from provision.onboarding.model import State

DAYS_MOST = 36_500


@frozen
class GatewayListRoutes:
    """Handlers that decode, call and encode."""

    gateways: GatewayList
    authentication: Authentication
    now: Callable[[], datetime]

    def operations(self) -> list[Operation]:
        """Return what is served."""
        return [
            Operation(
                method="GET",
                path="/{domain_id}/gateways",
                handler=self.list,
                id="listGateways",
                summary="List gateways by external ID: state, last fetch, end of certificates",
                tag="mapping",
                replies={200: Reply("A page", "GatewayPage")},
                errors=(400, 401, 403, 404, 502, 503, 504),
                parameters=(
                    *page_parameters(),
                    Parameter("search", {"type": "string"}, "A part of the external ID, any case"),
                    Parameter("state", {"type": "string"}, f"One of {', '.join(State)}"),
                    Parameter("layout", {"type": "string"}, "The layout's name"),
                    Parameter(
                        "certificate_days",
                        {"type": "integer"},
                        "Only those that have a certificate which ends within so many days",
                    ),
                ),
            )
        ]

    async def list(self, request: Request) -> Response:
        """List gateways."""
        token = token_of(request.headers.get("authorization"))
        caller = await self.authentication.identify(token, request.path_params["domain_id"])
        query = request.query_params
        before = None
        if query.get("certificate_days"):
            days = number_of(request, "certificate_days", 0, DAYS_MOST, least=0)
            before = self.now() + timedelta(days=days)
        page = await self.gateways.list(
            caller.domain_id,
            GatewayQuery(
                offset=number_of(request, "offset", 0),
                limit=number_of(request, "limit", 10, 100, least=1),
                search=query.get("search", ""),
                state=state_of(query.get("state", "")),
                layout=query.get("layout", ""),
                ending_before=before,
            ),
        )
        return JsonAnswer(
            {
                "total": page.total,
                "offset": page.offset,
                "limit": page.limit,
                "gateways": [_line_answer(each) for each in page.items],
            }
        )


def _line_answer(line: GatewayLine) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "external_id": line.external_id,
        "state": line.state.value,
        "layout": line.layout,
        "onboarding_id": line.onboarding_id,
        "updated_at": rfc3339(line.updated_at),
    }
    if line.config_id:
        answer |= {"config_id": line.config_id, "name": line.name, "status": line.status}
    if line.fetched_at:
        answer["last_fetch"] = {"at": rfc3339(line.fetched_at), "outcome": line.fetch_outcome}
    if line.certificate_ends:
        answer["certificate_ends"] = rfc3339(line.certificate_ends)
    return answer
