"""What a benchmark is busy with, on standard error, so that the table stays alone on the output."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Iterator

import structlog

_STARTED = time.monotonic()


def say(what: str) -> None:
    """Tell what begins now, and how many seconds after the start of its process."""
    print(f"{time.monotonic() - _STARTED:6.0f} s  {what}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def logs_silenced() -> Iterator[None]:
    """Keep the service's own log, which tells of every onboarding, from what is printed."""
    before, level = structlog.get_config(), logging.getLogger().level
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.getLogger().setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        structlog.configure(**before)
        logging.getLogger().setLevel(level)
