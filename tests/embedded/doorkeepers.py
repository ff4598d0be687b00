"""Who may register users with a Mainflux: whoever asks."""

from __future__ import annotations

from starlette.requests import Request

from provision.embedded.access import AccessControl
from provision.embedded.wire import bearer


class AnybodyRegisters:
    """Lets everybody register."""

    def __init__(self, access: AccessControl) -> None:
        """Ask ``access`` who is calling, where the request says so."""
        self._access = access

    async def admit(self, request: Request) -> bool:
        """Tell whether the administrator is calling, who may say more of a new user."""
        if "authorization" not in request.headers:
            return False
        return (await self._access.caller(bearer(request))).is_administrator
