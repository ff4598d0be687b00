"""Exit codes of every command, and the failures that end one."""

from __future__ import annotations

from typing import Final

from provision.errors import ProvisionError

RIGHT: Final = 0
REFUSED: Final = 1
USAGE: Final = 2
CHANGES: Final = 3

MEANINGS: Final = "Exit codes: 0 right, 1 refused, 2 usage, 3 changes pending."


class CommandFailed(ProvisionError):
    """The command could not do what it was asked to."""

    code = "command_failed"

    def __init__(self, message: str, try_next: str = "") -> None:
        """``try_next`` is the next thing to try, said on a line of its own."""
        super().__init__(message)
        self.try_next = try_next
