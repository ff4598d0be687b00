"""The benchmarks of this package: its modules that have ``FIGURES`` and a ``run``."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from types import ModuleType

from attrs import frozen

import bench
from bench.progress import logs_silenced
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


def measured(names: Iterable[str]) -> list[Result]:
    """Measure benchmarks one after another, each in a process of its own.

    As a service is on its own: what one left in memory would slow the next one down.
    """
    found: list[Result] = []
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        for name in names:
            found += processes.submit(_measured, name).result()
    return found


def _measured(name: str) -> Sequence[Result]:
    with logs_silenced():
        return benchmarks()[name].results()


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
