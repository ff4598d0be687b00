"""The route that shows what a device would be given now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.http.admission import Door
from bootstrap_core.http.answers import answer
from bootstrap_core.http.config_routes import ONE
from bootstrap_core.http.requests import path_id
from bootstrap_core.http.schemas import READING
from bootstrap_core.inspection import Inspection
from bootstrap_core.model import rfc3339
from bootstrap_core.openapi import Group, Operation, Parameter, Reply

SHOW: Final = Parameter("show_secrets", {"type": "boolean"}, "true shows secrets; default: masked")


class InspectionRoutes:
    """Decodes requests, calls, and encodes what comes back."""

    def __init__(self, door: Door, inspection: Inspection) -> None:
        """Let callers in at ``door``."""
        self._door = door
        self._inspection = inspection

    async def inspect(self, request: Request) -> Response:
        """Show what the device would be given now, and whether that is what it fetched last."""
        caller = await self._door.member(request)
        whole = request.query_params.get("show_secrets", "").lower() == "true"
        look = self._inspection.whole if whole else self._inspection.masked
        found = await look(caller.domain_id, path_id(request, "config_id"))
        document: dict[str, Any] = {
            "id": found.config.id,
            "external_id": found.config.external_id,
            "status": found.config.status.value,
            "digest": found.digest,
            "content": found.parts.content,
            "client_cert": found.parts.client_cert,
            "client_key": found.parts.client_key.reveal(),
            "ca_cert": found.parts.ca_cert,
            "updated_at": rfc3339(found.config.updated_at),
        }
        if found.last_fetch is not None:
            fetch = found.last_fetch
            document["last_fetch"] = {"at": rfc3339(fetch.at), "outcome": fetch.outcome}
            document["last_fetch"] |= {"digest": fetch.digest} if fetch.digest else {}
            document["last_fetch"] |= {"content": fetch.content} if fetch.content else {}
        if found.unchanged is not None:
            document["unchanged"] = found.unchanged
        return answer(document)

    def operations(self) -> Sequence[Operation]:
        """Return what is served."""
        shown = {200: Reply("What it would get, and whether it fetched the same", "Delivery")}
        path, errors = ONE + "/delivery", (*READING, 409)
        group = Group("configs")
        return [group.on("GET", path, self.inspect, shown, errors, parameters=(SHOW,))]
