"""``make bench-growth``: how cost grows from 1,000 to 1,000,000 configs, 10 to 10,000 onboardings.

``python -m bench.growth configs`` or ``onboardings`` measures one of them, ``--largest N`` stops at
a size, and ``--keep`` writes drawings and tables into docs/.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bench.document import DOCUMENT, keep
from bench.growth import configs, onboardings
from bench.machine import this_machine
from bench.progress import logs_silenced

SUBJECTS = {"configs": configs.run, "onboardings": onboardings.run}
IMAGES = DOCUMENT.parent / "images"


def main(arguments: Sequence[str]) -> int:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser("python -m bench.growth", description=__doc__)
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=" or ".join(SUBJECTS))
    parser.add_argument("--largest", type=int, default=sys.maxsize, help="stop at this size")
    parser.add_argument("--keep", action="store_true", help="write drawings and tables into docs/")
    given = parser.parse_args(arguments)
    if strange := sorted(set(given.subjects) - set(SUBJECTS)):
        parser.error(f"no subject {', '.join(strange)}; there are {', '.join(SUBJECTS)}")
    for subject in given.subjects or SUBJECTS:
        machine = this_machine()
        with logs_silenced():
            curves = SUBJECTS[subject](given.largest)
        table = f"Measured on {machine}.\n\n{curves.markdown()}"
        print(table)
        if given.keep:
            for name, drawing in curves.drawn().items():
                (IMAGES / f"{name}.svg").write_text(drawing)
            keep(f"growth of {subject}", table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
