"""Single requests to a running service, one after another, and how long each takes."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterable
from pathlib import Path

from bench.load import each_once
from bench.service import Served, served

STARTS = 3
MEBIBYTE = 2**20


def seconds(service: Served, request: bytes, status: int = 200) -> float:
    """Return how long the answer to one request takes."""
    measured = asyncio.run(each_once(service.port, [request], connections=1))
    assert set(measured.statuses) == {status}, measured.statuses
    return measured.latencies[0]


def milliseconds(service: Served, requests: Iterable[bytes], status: int = 200) -> float:
    """Return the median of how long the answers to several requests take."""
    return 1e3 * statistics.median(seconds(service, each, status) for each in requests)


def start_milliseconds(data: Path) -> float:
    """Return the median of how long the service takes until it can be reached."""
    taken = []
    for _ in range(STARTS):
        with served(data) as service:
            taken.append(service.start_seconds)
    return 1e3 * statistics.median(taken)


def stored_mebibytes(data: Path) -> float:
    """Return the size of the database of a service that does not run."""
    return sum(each.stat().st_size for each in data.glob("provision.db*")) / MEBIBYTE
