"""Failed attempts of devices: counted per external ID and per address, and slowed down.

Each failure fills a bucket that empties steadily; a full bucket refuses further attempts until it
has drained. Only failures count: a device whose key is remembered as verified never gets here.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable
from typing import Final

from attrs import frozen

from bootstrap_core.errors import Throttled

IPV6_NETWORK_BITS: Final = 64


@frozen
class Allowance:
    """How many failures are borne at once, and how many seconds it takes to forget one."""

    failures: int
    seconds: float


PER_DEVICE: Final = Allowance(failures=20, seconds=6.0)
PER_ADDRESS: Final = Allowance(failures=100, seconds=1.0)


class Throttle:
    """Refuses attempts where too many have failed. Remembers at most ``limit`` buckets."""

    def __init__(
        self,
        per_device: Allowance = PER_DEVICE,
        per_address: Allowance = PER_ADDRESS,
        limit: int = 100_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``clock`` gives seconds that never go back."""
        self._per_device = per_device
        self._per_address = per_address
        self._limit = limit
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def check(self, external_id: str, address: str) -> None:
        """Let an attempt pass. Raises ``Throttled`` with the seconds to wait."""
        wait = max(
            self._wait(_device(external_id), self._per_device),
            self._wait(_address(address), self._per_address),
        )
        if wait > 0:
            raise Throttled(math.ceil(wait))

    def failed(self, external_id: str, address: str) -> None:
        """Count a failed attempt."""
        self._fill(_device(external_id), self._per_device)
        self._fill(_address(address), self._per_address)

    def succeeded(self, external_id: str) -> None:
        """Forget the failures of a device that showed its key."""
        self._buckets.pop(_device(external_id), None)

    def _wait(self, bucket: str, allowance: Allowance) -> float:
        excess = self._level(bucket, allowance) - (allowance.failures - 1)
        return excess * allowance.seconds

    def _level(self, bucket: str, allowance: Allowance) -> float:
        level, at = self._buckets.get(bucket, (0.0, 0.0))
        return max(0.0, level - (self._clock() - at) / allowance.seconds)

    def _fill(self, bucket: str, allowance: Allowance) -> None:
        level = min(self._level(bucket, allowance) + 1, allowance.failures)
        # Taken out and put in again, the dictionary stays in the order of the last failure.
        self._buckets.pop(bucket, None)
        if len(self._buckets) >= self._limit:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[bucket] = (level, self._clock())


def _device(external_id: str) -> str:
    return f"device {external_id}"


def _address(address: str) -> str:
    """Name an address's bucket: one for a whole IPv6 network, which one host may own."""
    try:
        network = ipaddress.IPv6Network((address, IPV6_NETWORK_BITS), strict=False)
    except ValueError:
        return f"address {address}"
    return f"address {network.network_address}"
