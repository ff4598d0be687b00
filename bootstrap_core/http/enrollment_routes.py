"""The routes of enrollments (Magistrala's bootstrap document, "Binding Endpoints")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.enrollments import Enrollments, read_bindings
from bootstrap_core.http.admission import Door
from bootstrap_core.http.answers import answer, binding_view, empty
from bootstrap_core.http.requests import JSON, Bodies, path_id
from bootstrap_core.http.schemas import CHANGING, READING
from bootstrap_core.model import BindingRequest
from bootstrap_core.openapi import Group, Operation, Reply

ONE: Final = "/{domain_id}/clients/bootstrap/enrollments/{config_id}"


class EnrollmentRoutes:
    """Decodes requests about enrollments, calls, and encodes what comes back."""

    def __init__(self, door: Door, enrollments: Enrollments, bodies: Bodies) -> None:
        """Let callers in at ``door`` and read their bodies with ``bodies``."""
        self._door = door
        self._enrollments = enrollments
        self._bodies = bodies

    async def assign(self, request: Request) -> Response:
        """Give a config a profile."""
        caller, profile_id = await self._door.member_with(request, self._profile_id(request))
        await self._enrollments.assign(caller.domain_id, _id(request), profile_id)
        return empty(204)

    async def bind(self, request: Request) -> Response:
        """Bind resources to slots; slots that are not named stay as they are."""
        caller, requests = await self._door.member_with(request, self._bindings(request))
        await self._enrollments.bind(caller, _id(request), requests)
        return empty(204)

    async def list(self, request: Request) -> Response:
        """List a config's bindings."""
        caller = await self._door.member(request)
        found = await self._enrollments.list(caller.domain_id, _id(request))
        return answer({"bindings": [binding_view(binding) for binding in found]})

    async def refresh(self, request: Request) -> Response:
        """Read all bound resources again."""
        caller = await self._door.member(request)
        await self._enrollments.refresh(caller, _id(request))
        return empty(204)

    def operations(self) -> Sequence[Operation]:
        """Return what is served."""
        group = Group("enrollments")
        done = {204: Reply("Done")}
        bindings, profile, bind = ONE + "/bindings", ONE + "/profile", {JSON: "BindRequest"}
        listed = {200: Reply("The bindings, by slot", "Bindings")}
        assign = {JSON: "ProfileAssignment"}
        return [
            group.on("PATCH", profile, self.assign, done, CHANGING, body=assign),
            group.on("PUT", bindings, self.bind, done, CHANGING, body=bind),
            group.on("GET", bindings, self.list, listed, READING),
            group.on("POST", bindings + "/refresh", self.refresh, done, (*READING, 409)),
        ]

    async def _profile_id(self, request: Request) -> str:
        return (await self._bodies.json(request)).required_text("profile_id")

    async def _bindings(self, request: Request) -> Sequence[BindingRequest]:
        return read_bindings(await self._bodies.json(request))


def _id(request: Request) -> str:
    return path_id(request, "config_id")
