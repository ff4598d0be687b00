"""What can go wrong when the platform is asked.

::

    PlatformError
      InvalidToken        401  the token is missing, malformed or expired
      NotAMember          403  the caller has no part in the domain
        NotPermitted      403  the caller's role, or the token, lacks a right
      DomainNotFound      404  there is no such domain
      NotFound            404  not there, or not to be seen by this caller
        HalfDeleted       404  marked as deleted; its row stays in the platform's store
          Moved           404  it is in another domain now
        Gone              404  surely not there: the platform says so to whoever asks
      AlreadyExists       409  an ID, secret, route or connection is taken
        RouteTaken        409  another channel has the route
        NameTaken         409  another client has the name
        Spent             409  the ID was in use once, and can't be used again
      Rejected            4xx  refused for another reason, in the platform's words
      Unavailable         503  not reached: nothing was sent
        Overloaded        503  the platform asks to wait
      NotReady            503  refused just now, for no reason of the caller's; nothing was changed
      BadAnswer           502  an answer of the wrong shape: outcome unknown
        NotThePlatform    502  something else answers at the address: nothing was done
      Failed              502  the platform's own error (5xx): outcome unknown
      TimedOut            504  no answer in time, or the connection broke: outcome unknown
      Misconfigured       500  the settings of the connection can't be used
"""

from __future__ import annotations

from typing import ClassVar

from bootstrap_core.errors import ServiceError


class PlatformError(ServiceError):
    """The platform could not do what was asked."""

    status = 502
    code = "platform_error"
    outcome_unknown: ClassVar[bool] = False
    """Whether the call may have taken effect all the same; then only reading back tells."""

    def __init__(self, message: str = "", *, service: str = "", operation: str = "") -> None:
        """Take which service of the platform failed, and at which operation."""
        super().__init__(message)
        self.service = service
        self.operation = operation


class InvalidToken(PlatformError):
    """The platform does not accept the token: sign in again for a new one."""

    status = 401
    code = "invalid_token"


class NotAMember(PlatformError):
    """You are no member of this domain, or your token may not read it: ask its operators."""

    status = 403
    code = "not_a_member"


class NotPermitted(NotAMember):
    """Your role or token lacks a right that this needs."""

    code = "not_permitted"


def lacks(action: str, entity: str) -> str:
    """Return what a caller is told who lacks the right to an action on an entity."""
    return (
        f'your role or token lacks the right "{action}" on {entity}: ask an operator of the domain '
        "for a role that has it, or use a personal access token with that scope"
    )


class DomainNotFound(PlatformError):
    """There is no domain with this ID."""

    status = 404
    code = "domain_not_found"


class NotFound(PlatformError):
    """The platform has nothing under this ID that the caller may see."""

    status = 404
    code = "not_found"


class HalfDeleted(NotFound):
    """It is marked as deleted on the platform, whose store keeps its row."""


class Moved(HalfDeleted):
    """It is there, but not in this domain any more."""


class Gone(NotFound):
    """The platform says to whoever asks that it is not there."""


class AlreadyExists(PlatformError):
    """Something with this ID, secret, route or connection exists already."""

    status = 409
    code = "already_exists"


class RouteTaken(AlreadyExists):
    """Another channel of the domain has this route."""


class NameTaken(AlreadyExists):
    """Another client of the domain has this name."""

    code = "name_taken"


class Spent(AlreadyExists):
    """What had this ID was deleted, and the platform never takes the ID again."""


class Rejected(PlatformError):
    """The platform refused the request; nothing was changed."""

    code = "rejected_by_platform"
    status = 422

    def __init__(
        self, message: str = "", *, service: str = "", operation: str = "", answered: int = 422
    ) -> None:
        """``answered`` is the platform's own 4xx status."""
        super().__init__(message, service=service, operation=operation)
        self.answered = answered


class Unavailable(PlatformError):
    """The platform can't be reached; nothing was changed. Try again shortly."""

    status = 503
    code = "platform_unavailable"

    def __init__(
        self,
        message: str = "",
        *,
        service: str = "",
        operation: str = "",
        retry_after: float | None = None,
    ) -> None:
        """``retry_after`` is in seconds, where it is known."""
        super().__init__(message, service=service, operation=operation)
        self.retry_after = retry_after


class Overloaded(Unavailable):
    """The platform asks to wait before the next request."""

    code = "platform_overloaded"


class NotReady(PlatformError):
    """The platform could not do it just now; nothing was changed. Try again shortly."""

    status = 503
    code = "platform_not_ready"
    retry_after = 1.0


class BadAnswer(PlatformError):
    """The platform answered with something that it should not."""

    code = "platform_bad_answer"
    outcome_unknown = True


class NotThePlatform(BadAnswer):
    """Something else than Magistrala answers at its address."""

    code = "not_the_platform"
    outcome_unknown = False


class Failed(PlatformError):
    """The platform failed while it worked on the request."""

    code = "platform_failed"
    outcome_unknown = True


class TimedOut(PlatformError):
    """The platform gave no answer in time."""

    status = 504
    code = "platform_timed_out"
    outcome_unknown = True


class Misconfigured(PlatformError):
    """The settings of the connection to the platform can't be used."""

    status = 500
    code = "platform_misconfigured"
