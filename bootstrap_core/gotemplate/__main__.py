"""``python -m bootstrap_core.gotemplate conformance FILE...``: the engine against recorded results.

Prints, by category, the cases that passed and failed, and last "N passed, N failed". ``--failures``
shows each case that failed, ``--errors`` also each whose error text is not Go's word for word.
The exit code is 1 if any case failed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from io import TextIOWrapper
from pathlib import Path

from bootstrap_core.gotemplate.conformance import Result, run


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    if isinstance(sys.stdout, TextIOWrapper):
        # A terminal that has no such character shows its code.
        sys.stdout.reconfigure(errors="backslashreplace")
    parser = argparse.ArgumentParser(prog="python -m bootstrap_core.gotemplate")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("conformance", help="run recorded cases of Go's text/template")
    command.add_argument("files", nargs="+", type=Path, metavar="FILE")
    command.add_argument("--failures", action="store_true", help="show each case that failed")
    command.add_argument("--errors", action="store_true", help="show each error text unlike Go's")
    options = parser.parse_args(argv)
    passed: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for path in options.files:
        if not path.is_file():
            command.error(f"{path}: no such file")
        for result in run(path):
            (passed if result.passed else failed)[result.category] += 1
            if (options.failures and not result.passed) or (
                options.errors and result.passed and not result.same_error
            ):
                show(result)
    for category in sorted(passed | failed):
        sys.stdout.write(f"{category}: {passed[category]} passed, {failed[category]} failed\n")
    sys.stdout.write(f"{passed.total()} passed, {failed.total()} failed\n")
    return 1 if failed else 0


def show(result: Result) -> None:
    """Print a case and its two outcomes."""
    sys.stdout.write(f"{result.id} {result.category} {result.template[:300]!r}\n")
    for label, outcome in (("Go", result.wanted), ("here", result.got)):
        shown = repr(outcome.out[:300]) if outcome.kind == "ok" else outcome.error[:300]
        sys.stdout.write(f"  {label}: {outcome.kind}: {shown}\n")


if __name__ == "__main__":
    sys.exit(main())
