"""``make bench``: every figure, each a ratio within one run."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import bench
from bench.result import Result, show


def main() -> int:
    """Run every benchmark of this package; return 0 only if all figures are as they have to be."""
    results: list[Result] = []
    for module in pkgutil.iter_modules(bench.__path__):
        run = getattr(importlib.import_module(f"bench.{module.name}"), "run", None)
        if module.name != "__main__" and run:
            results += run()
    return not show(results)


if __name__ == "__main__":
    sys.exit(main())
