"""``/{domain_id}/onboardings``: the journal, for people."""

from __future__ import annotations

from typing import Any

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.model import Caller, rfc3339
from bootstrap_core.openapi import Operation, Parameter, Reply
from provision.api.answers import JsonAnswer
from provision.api.gateways import onboarding_answer
from provision.api.queries import number_of, page_parameters, state_of
from provision.authentication import Authentication, token_of
from provision.errors import InvalidFields
from provision.onboarding.audit import AuditTrail
from provision.onboarding.model import State
from provision.onboarding.onboarding_list import OnboardingList, OnboardingQuery
from provision.onboarding.progress import Progress
from provision.onboarding.service import Onboardings
from provision.onboarding.steps import RunningSteps

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
                    ("retry", self.retry, "Go on now with one that waits for its next attempt"),
                    ("undo", self.undo, "Undo an onboarding: the gateway is removed"),
                    ("repair", self.repair, "Re-create what is missing; the key is not needed"),
                )
            ),
        ]

    async def list(self, request: Request) -> Response:
        """List onboardings, newest first; filters: state, external_id, layout."""
        caller = await self._caller(request)
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
        caller = await self._caller(request)
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
        caller = await self._caller(request)
        after = await self.onboardings.retry(caller, request.path_params["onboarding_id"])
        return JsonAnswer(onboarding_answer(after.summary))

    async def undo(self, request: Request) -> Response:
        """Undo an onboarding, whatever its state."""
        caller = await self._caller(request)
        after = await self.onboardings.undo(caller, request.path_params["onboarding_id"])
        return JsonAnswer(onboarding_answer(after.summary))

    async def repair(self, request: Request) -> Response:
        """Re-create what is missing of the gateway."""
        caller = await self._caller(request)
        after = await self.onboardings.repair(caller, request.path_params["onboarding_id"])
        return JsonAnswer(onboarding_answer(after.summary))

    async def _caller(self, request: Request) -> Caller:
        token = token_of(request.headers.get("authorization"))
        caller = await self.authentication.identify(token, request.path_params["domain_id"])
        await self.onboardings.welcome(caller)
        return caller


def _progress(text: str) -> Progress | None:
    if not text:
        return None
    if text not in set(Progress):
        raise InvalidFields(f"progress: one of {', '.join(Progress)} is needed, not {text!r:.40}")
    return Progress(text)
