"""Failed attempts of devices: counted per external ID and per address, and slowed down.

Each failure fills a bucket that empties steadily; a full bucket refuses further attempts until it
has drained. Only failures count.
"""

from __future__ import annotations

import functools
import hashlib
import ipaddress
import math
import time
from collections.abc import Callable, Hashable
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
LONGEST_NAME: Final = 64
PER_PLACE: Final = PER_DEVICE
ALL_PLACES: Final = Allowance(failures=100, seconds=2.0)
"""What a device bears from all addresses together: more than one of them can fill."""
PER_ADDRESS: Final = Allowance(failures=100, seconds=1.0)


class Buckets:
    """Buckets that failures fill and time drains; at most ``limit`` of them are remembered."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives seconds that never go back."""
        self._limit = limit
        self._clock = clock
        self._levels: dict[Hashable, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._levels)

    def wait(self, bucket: Hashable, allowance: Allowance) -> int:
        """Return the seconds until the bucket is no longer full; 0 where it is not."""
        if bucket not in self._levels:
            return 0
        excess = self._level(bucket, allowance) - (allowance.failures - 1)
        return max(0, math.ceil(excess * allowance.seconds))

    def fill(self, bucket: Hashable, allowance: Allowance) -> None:
        """Count one failure."""
        level = min(self._level(bucket, allowance) + 1, allowance.failures)
        # Taken out and put in again, the dictionary stays in the order of the last failure.
        self._levels.pop(bucket, None)
        if len(self._levels) >= self._limit:
            del self._levels[next(iter(self._levels))]
        self._levels[bucket] = (level, self._clock())

    def empty(self, bucket: Hashable) -> None:
        """Forget the failures in a bucket."""
        self._levels.pop(bucket, None)

    def _level(self, bucket: Hashable, allowance: Allowance) -> float:
        level, at = self._levels.get(bucket, (0.0, 0.0))
        return max(0.0, level - (self._clock() - at) / allowance.seconds)


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
        self._buckets = Buckets(limit, clock)

    def __len__(self) -> int:
        return len(self._buckets)

    def check(self, external_id: str, address: str) -> None:
        """Let an attempt pass. Raises ``Throttled`` with the seconds to wait."""
        wait = max(
            self._buckets.wait(_device(external_id), self._per_device),
            self._buckets.wait(network_of(address), self._per_address),
        )
        if wait > 0:
            raise Throttled(wait)

    def failed(self, external_id: str, address: str) -> None:
        """Count a failed attempt."""
        self._buckets.fill(_device(external_id), self._per_device)
        self._buckets.fill(network_of(address), self._per_address)

    def succeeded(self, external_id: str) -> None:
        """Forget the failures of a device that showed its key."""
        self._buckets.empty(_device(external_id))


class Guesses:
    """Failures at devices that are there: they bound how fast their keys can be guessed.

    Unlike ``Throttle`` it counts no external ID that is unknown, so that devices that ask before
    they are onboarded hold up nobody behind the same address. A right key is refused only where
    wrong ones came from its own address, or from many others; once it succeeded, an address is
    held responsible for itself alone.
    """

    def __init__(self, limit: int = 100_000, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives seconds that never go back."""
        self._buckets = Buckets(limit, clock)
        self._limit = limit
        self._trusted: dict[Hashable, None] = {}

    def wait(self, external_id: str, address: str) -> int:
        """Return the seconds for which no key is looked at; 0 where one is."""
        here = (_device(external_id), network_of(address))
        own = self._buckets.wait(here, PER_PLACE)
        if here in self._trusted:
            return own
        device, source = here
        return max(
            own,
            self._buckets.wait(device, ALL_PLACES),
            self._buckets.wait(source, PER_ADDRESS),
        )

    def failed(self, external_id: str, address: str) -> None:
        """Count a wrong key, unless none is looked at for now."""
        if self.wait(external_id, address):
            return
        here = (_device(external_id), network_of(address))
        self._buckets.fill(here, PER_PLACE)
        if here not in self._trusted:
            device, source = here
            self._buckets.fill(device, ALL_PLACES)
            self._buckets.fill(source, PER_ADDRESS)

    def succeeded(self, external_id: str, address: str) -> None:
        """Trust the address with this device from now on."""
        here = (_device(external_id), network_of(address))
        self._buckets.empty(here)
        self._trusted.pop(here, None)
        if len(self._trusted) >= self._limit:
            del self._trusted[next(iter(self._trusted))]
        self._trusted[here] = None


def _device(external_id: str) -> str:
    """Name a device's bucket, in bounded memory whatever was asked for."""
    if len(external_id) <= LONGEST_NAME:
        return f"device {external_id}"
    return f"digest {hashlib.blake2b(external_id.encode(), digest_size=16).hexdigest()}"


@functools.lru_cache(maxsize=10_000)
def network_of(address: str) -> str:
    """Name where an address belongs: one name for a whole IPv6 network, which one host may own."""
    try:
        network = ipaddress.IPv6Network((address, IPV6_NETWORK_BITS), strict=False)
    except ValueError:
        return f"address {address}"
    return f"address {network.network_address}"
