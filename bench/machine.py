"""The machine that figures were measured on, as far as it explains them."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from attrs import frozen

PROCESSORS: Final = Path("/proc/cpuinfo")
RELEASE: Final = Path("/etc/os-release")
GIBIBYTE: Final = 2**30


@frozen
class Machine:
    """Processor, memory, system and Python, and the day; nothing that names the machine itself.

    ``load`` is how many processes wanted a processor in the minute before: above zero, something
    else was measured as well.
    """

    processor: str
    cores: int
    memory: float
    system: str
    python: str
    date: str
    load: float

    def __str__(self) -> str:
        return (
            f"{self.processor}, {self.cores} cores, {self.memory:.0f} GiB of memory, "
            f"{self.system}, {self.python}, {self.date}, load {self.load:.1f} before it began"
        )


def this_machine() -> Machine:
    """Return the machine that this runs on."""
    return Machine(
        processor=_field(PROCESSORS, "model name") or platform.machine(),
        cores=os.cpu_count() or 1,
        memory=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIBIBYTE,
        system=_field(RELEASE, "PRETTY_NAME") or platform.system(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        date=datetime.now(UTC).date().isoformat(),
        load=os.getloadavg()[0],
    )


def _field(file: Path, name: str) -> str:
    """Return the first value of ``name`` in a file of ``name: value`` or ``name=value`` lines."""
    if not file.is_file():
        return ""
    for line in file.read_text().splitlines():
        before, separator, value = line.partition(":" if ":" in line else "=")
        if separator and before.strip() == name:
            return value.strip().strip('"')
    return ""
