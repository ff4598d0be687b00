"""How long the onboarding waits for a platform that is not sure yet."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from provision.onboarding.clock import Clock

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 0.5


@frozen
class Timing:
    """How long things take on a platform, in seconds.

    ``visible_after``: what was created can be seen; Magistrala's authorization store trails its
    answers by 50 to 95 ms under load. ``settled_after``: a call that was cut off can no longer
    take effect. ``answer_after``: a caller whose onboarding failed is not kept waiting any longer
    for its undoing, which goes on in the background. ``look_after``: how often the background looks
    for certificates that are due.
    """

    visible_after: float = 2.0
    settled_after: float = 5.0
    answer_after: float = 3.0
    look_after: float = 2.0


class Patience:
    """Short pauses, each longer than the last, until a deadline on the given clock."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        """Wait for ``seconds`` in all, from now on."""
        self._clock = clock
        self._deadline = clock.monotonic() + seconds
        self._pauses = _pauses()

    async def pause(self) -> bool:
        """Wait a little; ``False``, at once, when the time is up."""
        left = self._deadline - self._clock.monotonic()
        if left <= 0:
            return False
        await self._clock.sleep(min(next(self._pauses), left))
        return True


def _pauses() -> Iterator[float]:
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(pause * 2, LONGEST_PAUSE)
