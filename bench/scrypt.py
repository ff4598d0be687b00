"""scrypt alone, at the cost of an external key: the floor of whatever hashes one."""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from bootstrap_core.keys import COST

MEMORY: Final = 64 * 1024 * 1024


def scrypt_seconds(_: int = 0) -> float:
    """Return how long one key takes."""
    started = time.perf_counter()
    hashlib.scrypt(
        b"a-device-key", salt=b"s" * 16, n=1 << COST.ln, r=COST.r, p=COST.p, dklen=32, maxmem=MEMORY
    )
    return time.perf_counter() - started


def scrypt_rate(count: int) -> float:
    """Return how many keys a second all processors hash, with nothing else to do."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        started = time.perf_counter()
        list(pool.map(scrypt_seconds, range(count)))
        return count / (time.perf_counter() - started)
