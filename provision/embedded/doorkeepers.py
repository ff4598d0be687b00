"""Who may register users: the administrator, and everybody only where that is switched on."""

from __future__ import annotations

from typing import Protocol

from starlette.requests import Request

from provision.embedded.access import AccessControl
from provision.embedded.wire import bearer


class Doorkeeper(Protocol):
    """Decides whether a request may register a user."""

    async def admit(self, request: Request) -> bool:
        """Tell whether the administrator is calling; raise when the caller may not register."""
        ...


class AdministratorRegisters:
    """Lets the platform's administrator register users, and nobody else."""

    def __init__(self, access: AccessControl) -> None:
        """Ask ``access`` who is calling."""
        self._access = access

    async def admit(self, request: Request) -> bool:
        """Raise ``InvalidToken`` or ``AdministratorOnly`` for anybody else."""
        (await self._access.caller(bearer(request))).require_administrator()
        return True
