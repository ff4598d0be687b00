"""``make bench``: every figure in one table.

``python -m bench NAME...`` measures some of them, ``--keep`` all of them for docs/performance.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from bench.catalog import benchmarks, measured
from bench.document import keep
from bench.machine import this_machine
from bench.table import markdown, show

TABLE_WIDTH = 150


def main(arguments: Sequence[str]) -> int:
    """Measure; return 0 only if all figures are as they have to be."""
    known = benchmarks()
    parser = argparse.ArgumentParser("python -m bench", description="Measure every figure.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(known)}")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--keep", action="store_true", help="write it into docs/performance.md")
    given = parser.parse_args(arguments)
    if strange := sorted(set(given.names) - set(known)):
        parser.error(f"no benchmark {', '.join(strange)}; there are {', '.join(known)}")
    if given.keep and given.names:
        parser.error("--keep writes the whole table: name no benchmark with it")
    machine = this_machine()
    results = measured(given.names or known)
    if given.keep:
        keep("figures", markdown(results, machine))
    if given.markdown:
        print(markdown(results, machine))
    else:
        # A pipe has no width of its own.
        show(results, machine, Console(width=None if sys.stdout.isatty() else TABLE_WIDTH))
    return 0 if all(each.ok for each in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
