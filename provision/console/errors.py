"""What can go wrong in the console.

::

    ConsoleError
      SignedOut        401  nobody is signed in: the way leads to the sign-in page
      SignInRefused    422  the name or the password is wrong
      ForgedRequest    403  a form that this page did not give out
      NoDomain         409  the user is not a member of any domain
      PageNotFound     404  there is no such page
      FormUnreadable   400  the form was cut off or is too large
      TooManyJobs      429  the session has too much running at the same time
      Refused          4xx  the API refused what was asked, in its own words
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from bootstrap_core.errors import ServiceError


class ConsoleError(ServiceError):
    """The console could not do what was asked."""

    title: ClassVar[str] = "Something went wrong"


class SignedOut(ConsoleError):
    """Your session has ended: sign in again."""

    status = 401
    title = "Signed out"


class SignInRefused(ConsoleError):
    """The name and the password do not belong together, or the user is disabled."""

    status = 422
    title = "Sign-in refused"


class ForgedRequest(ConsoleError):
    """The form was opened for another session or domain: load the page again, then send it."""

    status = 403
    title = "Form not accepted"


class NoDomain(ConsoleError):
    """You are not a member of any domain: ask an administrator to add you to one."""

    status = 409
    title = "No domain"


class PageNotFound(ConsoleError):
    """There is nothing at this address."""

    status = 404
    title = "Page not found"


class FormUnreadable(ConsoleError):
    """The form could not be read: go back and send it again."""

    status = 400
    title = "Form not readable"


class TooManyJobs(ConsoleError):
    """Too much is running at the same time: wait until one of your gateways is there."""

    status = 429
    title = "One after the other"


class Refused(ConsoleError):
    """The service refused what was asked."""

    title = "Not done"

    def __init__(self, status: int, code: str, message: str, details: object = None) -> None:
        """Repeat the API's answer: its status, stable code, message and details."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.details: Sequence[Mapping[str, Any]] | Mapping[str, Any] = (
            details if isinstance(details, list | Mapping) else ()
        )
