"""A watchdog on the event loop: how much processor time its longest step took.

What the loop's thread spends is counted, not the time that passes: a slow or busy machine does not
make a test fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import Iterator

from attrs import define

STEP_MOST = 0.05
"""Seconds of processor time that one step of the loop may take."""


@define
class LoopWatch:
    """The longest step that was seen, and what it ran."""

    longest: float = 0.0
    what: str = ""

    def note(self, seconds: float, what: object) -> None:
        if seconds > self.longest:
            self.longest, self.what = seconds, repr(what)


@contextlib.contextmanager
def loop_watched(most: float = STEP_MOST) -> Iterator[LoopWatch]:
    """Fail where a step of the running asyncio loop takes more than ``most``."""
    watch = LoopWatch()
    run = asyncio.events.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        what = repr(handle._callback)
        started = time.thread_time()
        run(handle)
        watch.note(time.thread_time() - started, what)

    # What the tests before have left in this process is not the product's to look through.
    gc.collect()
    gc.freeze()
    asyncio.events.Handle._run = timed  # type: ignore[method-assign]
    try:
        yield watch
    finally:
        asyncio.events.Handle._run = run  # type: ignore[method-assign]
    assert watch.longest <= most, f"{watch.longest:.3f} s in one step: {watch.what}"
