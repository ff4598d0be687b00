"""An onboarding that was started: watched while it runs, then its result."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from attrs import frozen
from starlette.responses import Response, StreamingResponse

from bootstrap_core.secret import Secret
from provision.console.addresses import address
from provision.console.drawing import qr_code_of
from provision.console.errors import ConsoleError, Refused
from provision.console.page import Page
from provision.console.undertakings import Undertaking, Undertakings
from provision.console.visit import Visit

WATCH: Final = "/console/onboard/watch/{name}"
RESULT: Final = "/console/onboard/result/{onboarding_id}"
LOOK_AGAIN: Final = 0.3
"""Seconds between two looks at the journal."""
NOT_FOUND: Final = 404
NO_CONTENT: Final = 204
SAID: Final = {
    "created": "The gateway {} is onboarded.",
    "reused": "The gateway {} was there already; nothing has changed.",
    "repaired": "The gateway {} was repaired.",
    "rotated": "The gateway {} has new secrets and certificates.",
    "replaced": "The gateway {} was replaced.",
}


@frozen
class OnboardWatch:
    """The pages from the start of an onboarding on; ``public_url`` may be empty."""

    undertakings: Undertakings
    public_url: str

    def pages(self) -> Sequence[Page]:
        """Return the pages."""
        return [
            Page("GET", WATCH, self.watch),
            Page("GET", WATCH + "/events", self.events),
            Page("GET", RESULT, self.result),
        ]

    async def watch(self, visit: Visit) -> Response:
        """Show how far it is; when it is done, go on to its result or show what went wrong."""
        found = self.undertakings.find(visit.session.id, visit.path("name"))
        if found is None:
            return await visit.page("onboard/lost.html", status=NOT_FOUND)
        result = found.result
        if result is None:
            progress = {"external_id": found.external_id, "row": await _row(visit, found)}
            return await visit.page("onboard/watch.html", progress | {"name": found.id})
        if isinstance(result, ConsoleError):
            told = {
                "external_id": found.external_id,
                "error": result,
                "fields": {name: found.form.text(name) for name in found.form.values},
            }
            return await visit.page("onboard/failed.html", told)
        return await self._arrived(visit, found, result)

    async def events(self, visit: Visit) -> Response:
        """Stream how far it is, as server-sent events: ``steps`` (HTML) and, at last, ``done``."""
        found = self.undertakings.find(visit.session.id, visit.path("name"))
        if found is None:
            return Response(status_code=NO_CONTENT)

        async def stream() -> AsyncIterator[str]:
            told = ""
            while found.result is None:
                shown = _steps(visit, await _row(visit, found))
                if shown != told:
                    yield _event("steps", shown)
                told = shown
                await asyncio.wait({found.work}, timeout=LOOK_AGAIN)
            yield _event("steps", _steps(visit, await _row(visit, found)))
            yield _event("done", "")

        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)

    async def result(self, visit: Visit) -> Response:
        """Show what an onboarding has made; the external key was shown before and is not known."""
        row = await visit.api.in_domain.get("onboardings", visit.path("onboarding_id"))
        try:
            gateway = await visit.api.in_domain.get("mapping", row["external_id"])
        except Refused as error:
            if error.status != NOT_FOUND:
                raise
            gateway = None
        url = self._bootstrap_url(visit, row["external_id"])
        context = {
            "row": row,
            "gateway": gateway,
            "url": url,
            "command": _command(url, "<external key>"),
            "qr_code": qr_code_of(url),
        }
        return await visit.page("onboard/result.html", context)

    async def _arrived(
        self, visit: Visit, found: Undertaking, result: Mapping[str, Any]
    ) -> Response:
        after = address("onboard", "result", result["onboarding"]["id"])
        key = found.external_key
        if not key:
            return visit.to(after)
        self.undertakings.forget_key(found)
        shown = {"External key": key}
        if "bootstrap" in result:
            url = self._bootstrap_url(visit, found.external_id)
            shown["What the device asks"] = Secret(_command(url, key.reveal()))
        said = SAID.get(result["onboarding"]["outcome"], SAID["created"])
        return await visit.done(after, said.format(found.external_id), shown)

    def _bootstrap_url(self, visit: Visit, external_id: str) -> str:
        base = (self.public_url or str(visit.request.base_url)).rstrip("/")
        return f"{base}/clients/bootstrap/{quote(external_id, safe='')}"


async def _row(visit: Visit, found: Undertaking) -> Mapping[str, Any] | None:
    """Return the journal's row about the gateway, if one was written since the start."""
    query: dict[str, str | int] = {"external_id": found.external_id, "limit": 1}
    try:
        page = await visit.api.in_domain.get("onboardings", query=query)
    except ConsoleError:
        # The onboarding's own answer tells what is wrong; the view of it just waits.
        return None
    rows = [
        each
        for each in page["onboardings"]
        if datetime.fromisoformat(each["updated_at"]) >= found.began_at
    ]
    return rows[0] if rows else None


def _steps(visit: Visit, row: Mapping[str, Any] | None) -> str:
    page = visit.frame.templates.answer("onboard/steps.html", 200, {"row": row})
    return bytes(page.body).decode()


def _event(kind: str, data: str) -> str:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"


def _command(url: str, key: str) -> str:
    return shlex.join(["curl", "-sS", url, "-H", f"Authorization: Client {key}"])
