"""What can go wrong when the platform is asked.

::

    PlatformError
      InvalidToken        401  the token is missing, malformed or expired
      NotAMember          403  the caller has no part in the domain
      DomainNotFound      404  there is no such domain
      NotFound            404  not there, or not to be seen by this caller
      AlreadyExists       409  an ID, secret, route or connection is taken
      Rejected            4xx  refused for another reason, in the platform's words
      Unavailable         503  not reached: nothing was sent
      Overloaded          503  the platform asks to wait
      BadAnswer           502  an answer of the wrong shape: outcome unknown
      Failed              502  the platform's own error (5xx): outcome unknown
      TimedOut            504  no answer in time, or the connection broke: outcome unknown
      Misconfigured       500  the settings of the connection can't be used
"""

from __future__ import annotations

from typing import ClassVar


class PlatformError(Exception):
    """The platform could not do what was asked."""

    status: ClassVar[int] = 502
    code: ClassVar[str] = "platform_error"
    outcome_unknown: ClassVar[bool] = False
    """Whether the call may have taken effect all the same; then only reading back tells."""

    def __init__(self, message: str = "", *, service: str = "", operation: str = "") -> None:
        """Describe the failure; without a message the class's docstring is the message."""
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])
        self.service = service
        self.operation = operation

    @property
    def message(self) -> str:
        """The text for the person who asked."""
        return str(self)


class InvalidToken(PlatformError):
    """The platform does not accept the token: sign in again for a new one."""

    status = 401
    code = "invalid_token"


class NotAMember(PlatformError):
    """You are not a member of this domain: ask its administrator to add you."""

    status = 403
    code = "not_a_member"


class DomainNotFound(PlatformError):
    """There is no domain with this ID."""

    status = 404
    code = "domain_not_found"


class NotFound(PlatformError):
    """The platform has nothing under this ID that the caller may see."""

    status = 404
    code = "not_found"


class AlreadyExists(PlatformError):
    """Something with this ID, secret, route or connection exists already."""

    status = 409
    code = "already_exists"


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


class BadAnswer(PlatformError):
    """The platform answered with something that it should not."""

    code = "platform_bad_answer"
    outcome_unknown = True


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
