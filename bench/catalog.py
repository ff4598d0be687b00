"""The benchmarks of this package: its modules that have ``FIGURES`` and a ``run``."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType

from attrs import frozen

import bench
from bench.result import Figure, Result


@frozen
class Benchmark:
    """A module's figures, and what measures them."""

    name: str
    figures: Sequence[Figure]
    run: Callable[[], Sequence[Result]]

    def results(self) -> Sequence[Result]:
        """Measure all figures."""
        results = self.run()
        missing = set(self.figures) ^ {each.figure for each in results}
        assert not missing, f"bench.{self.name}: {sorted(each.name for each in missing)}"
        return results


def benchmarks() -> Mapping[str, Benchmark]:
    """Return all benchmarks by name."""
    found = {}
    for module in pkgutil.iter_modules(bench.__path__):
        if module.name != "__main__" and (one := _benchmark(module.name)):
            found[module.name] = one
    return found


def _benchmark(name: str) -> Benchmark | None:
    module: ModuleType = importlib.import_module(f"bench.{name}")
    figures, run = getattr(module, "FIGURES", None), getattr(module, "run", None)
    return Benchmark(name, figures, run) if figures and run else None
