"""``/{domain_id}/onboardings``: the journal, for people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.http.answers import JsonAnswer
from bootstrap_core.http.openapi import Operation, Parameter, Reply
from bootstrap_core.model import rfc3339
from provision.api.app import enter
from provision.api.gateways import onboarding_answer
from provision.api.requests import is_set, number_of, page_parameters, state_of
from provision.authentication import Authentication
from provision.errors import InvalidFields
from provision.onboarding.audit import AuditTrail
from provision.onboarding.lists import (
    GatewayLine,
    GatewayList,
    GatewayQuery,
    OnboardingList,
    OnboardingQuery,
)
from provision.onboarding.model import State
from provision.onboarding.service import Onboardings
from provision.onboarding.steps import Progress, RunningSteps

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
        caller = await enter(self.authentication, request)
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
    if line.certificate_due:
        answer["certificate_due"] = rfc3339(line.certificate_due)
    return answer


LIMIT_DEFAULT = 10
LIMIT_MOST = 100
FOREIGN = (401, 403, 404, 502, 503, 504)
TAG = "onboardings"
ONE = "/{domain_id}/onboardings/{onboarding_id}"
ROW = {200: Reply("The onboarding", "Onboarding")}


@frozen
class OnboardingRoutes:
    """Handlers that decode, call and encode."""

    onboardings: Onboardings
    onboarding_list: OnboardingList
    audit: AuditTrail
    running: RunningSteps
    authentication: Authentication

    def operations(self) -> list[Operation]:
        """Return what is served."""
        return [
            Operation(
                method="GET",
                path="/{domain_id}/onboardings",
                handler=self.list,
                id="listOnboardings",
                summary="List onboardings, newest first",
                tag=TAG,
                replies={200: Reply("A page", "OnboardingPage")},
                errors=(400, *FOREIGN),
                parameters=(
                    *page_parameters(),
                    Parameter("state", {"type": "string"}, f"One of {', '.join(State)}"),
                    Parameter("progress", {"type": "string"}, f"One of {', '.join(Progress)}"),
                    Parameter("external_id", {"type": "string"}, "The whole external ID"),
                    Parameter("layout", {"type": "string"}, "The layout's name"),
                    Parameter(
                        "leftovers",
                        {"type": "boolean"},
                        "Only those that may have left something on the platform",
                    ),
                ),
            ),
            Operation(
                method="GET",
                path=ONE,
                handler=self.view,
                id="viewOnboarding",
                summary="Show an onboarding with its steps and its gateway's audit trail",
                tag=TAG,
                replies=ROW,
                errors=FOREIGN,
            ),
            Operation(
                method="DELETE",
                path=f"{ONE}/leftovers",
                handler=self.forget_leftovers,
                id="forgetLeftovers",
                summary="Confirm that the platform's administrator has deleted the leftovers",
                tag=TAG,
                replies=ROW,
                errors=(409, *FOREIGN),
            ),
            *(
                Operation(
                    method="POST",
                    path=f"{ONE}/{name}",
                    handler=handler,
                    id=f"{name}Onboarding",
                    summary=summary,
                    tag=TAG,
                    replies=ROW,
                    errors=(409, *FOREIGN),
                )
                for name, handler, summary in (
                    (
                        "retry",
                        self.retry,
                        "Try an onboarding again now, instead of at its next attempt",
                    ),
                    ("undo", self.undo, "Undo an onboarding: the gateway is removed"),
                    ("repair", self.repair, "Repair the gateway; the external key is not needed"),
                )
            ),
        ]

    async def list(self, request: Request) -> Response:
        """List onboardings, newest first; filters: state, external_id, layout, leftovers."""
        caller = await enter(self.authentication, request)
        query = request.query_params
        page = await self.onboarding_list.list(
            caller.domain_id,
            OnboardingQuery(
                offset=number_of(request, "offset", 0),
                limit=number_of(request, "limit", LIMIT_DEFAULT, LIMIT_MOST, least=1),
                state=state_of(query.get("state", "")),
                progress=_progress(query.get("progress", "")),
                external_id=query.get("external_id", ""),
                layout=query.get("layout", ""),
                with_leftovers=is_set(request, "leftovers"),
            ),
        )
        return JsonAnswer(
            {
                "total": page.total,
                "offset": page.offset,
                "limit": page.limit,
                "onboardings": [onboarding_answer(self.running.shown(each)) for each in page.items],
            }
        )

    async def view(self, request: Request) -> Response:
        """Answer one onboarding with its steps and the audit trail of its gateway."""
        caller = await enter(self.authentication, request)
        found = await self.onboarding_list.view(
            caller.domain_id, request.path_params["onboarding_id"]
        )
        trail = await self.audit.list(caller.domain_id, found.external_id, 0, LIMIT_MOST)
        answer: dict[str, Any] = onboarding_answer(self.running.shown(found))
        answer["audit"] = [
            {
                "at": rfc3339(each.at),
                "onboarding_id": each.onboarding_id,
                "actor": each.actor,
                "action": each.action,
                "outcome": each.outcome,
                **({"message": each.message} if each.message else {}),
            }
            for each in trail.items
        ]
        return JsonAnswer(answer)

    async def retry(self, request: Request) -> Response:
        """Go on now with an onboarding that waits for its next attempt."""
        caller = await enter(self.authentication, request)
        after = await self.onboardings.retry(caller, request.path_params["onboarding_id"])
        return JsonAnswer(onboarding_answer(after.summary))

    async def undo(self, request: Request) -> Response:
        """Undo an onboarding, whatever its state."""
        caller = await enter(self.authentication, request)
        after = await self.onboardings.undo(caller, request.path_params["onboarding_id"])
        return JsonAnswer(onboarding_answer(after.summary))

    async def repair(self, request: Request) -> Response:
        """Re-create what is missing of the gateway."""
        caller = await enter(self.authentication, request)
        after = await self.onboardings.repair(caller, request.path_params["onboarding_id"])
        return JsonAnswer(onboarding_answer(after.summary))

    async def forget_leftovers(self, request: Request) -> Response:
        """Take out of the journal what somebody has removed from the platform's store."""
        caller = await enter(self.authentication, request)
        onboarding_id = request.path_params["onboarding_id"]
        after = await self.onboardings.forget_leftovers(caller, onboarding_id)
        return JsonAnswer(onboarding_answer(after.summary))


def _progress(text: str) -> Progress | None:
    if not text:
        return None
    if text not in set(Progress):
        raise InvalidFields(f"progress: one of {', '.join(Progress)} is needed, not {text!r:.40}")
    return Progress(text)
