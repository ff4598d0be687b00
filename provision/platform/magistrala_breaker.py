"""A circuit breaker: while a service is down, calls to it fail at once instead of waiting.

After several failures in a row the circuit opens. When its time has passed one call is let through
as a probe, and the others still fail at once; the probe's end closes the circuit or opens it again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from provision.platform.errors import Unavailable


class Breaker:
    """The circuit of one service.

    Every ``admit`` is followed by exactly one of ``record`` and ``release``.
    """

    def __init__(
        self,
        service: str,
        failures: int,
        seconds: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open after ``failures`` failures in a row, for ``seconds`` at a time."""
        self._service = service
        self._most_failures = failures
        self._seconds = seconds
        self._now = now
        self._failures = 0
        self._closed_from = -math.inf
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether the service counts as down."""
        return self._failures >= self._most_failures

    def admit(self) -> None:
        """Let a call through; raises ``Unavailable`` while the circuit is open."""
        if not self.is_open:
            return
        # A sum and a difference of times may be off by their last digit.
        left = min(self._closed_from - self._now(), self._seconds)
        if left > 0 or self._probing:
            raise Unavailable(
                f"the {self._service} service does not answer; it is asked again in "
                f"{max(1, math.ceil(left))} s",
                service=self._service,
                retry_after=max(1.0, left),
            )
        self._probing = True

    def record(self, *, down: bool) -> None:
        """Note how an admitted call ended: with a sign of a service that is down, or not."""
        self._probing = False
        if not down:
            self._failures = 0
            return
        self._failures += 1
        if self.is_open:
            self._closed_from = self._now() + self._seconds

    def release(self) -> None:
        """Note that an admitted call was given up and says nothing of the service."""
        self._probing = False
