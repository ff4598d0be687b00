"""Follow the README on a bare Debian: Python, make, git and curl, and nothing else.

Usage: python docker/rehearse_bare_machine.py [DIRECTORY]
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from debian import Debian, FailedError, missing

PROJECT: Final = Path(__file__).resolve().parent.parent
BARE: Final = ("bookworm", ("python3", "make", "git", "curl"))
HOME: Final = "/home/newcomer/provision"
ONBOARD: Final = """
make --silent run PORT=$PORT >/tmp/said 2>/tmp/log &
for second in $(seq 300); do
  grep -q 'Ctrl-C' /tmp/said && break
  kill -0 $! || { cat /tmp/said /tmp/log >&2; exit 1; }
  sleep 1
done
grep -E '^  (curl|[.]venv/bin/provision) ' /tmp/said >/tmp/commands
sh -eu /tmp/commands >/tmp/answers
cat /tmp/said /tmp/log
"""


def main(arguments: list[str]) -> int:
    """Rehearse the newcomer's first minutes; return 0 if each of them went well."""
    if reason := missing():
        print(f"the bare machine's rehearsal is left out: {reason}")
        return 0
    with tempfile.TemporaryDirectory(
        prefix="bare-", dir=arguments[0] if arguments else None
    ) as space:
        try:
            rehearse(Debian.bootstrap(Path(space) / "root", *BARE))
        except FailedError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


def rehearse(machine: Debian) -> None:
    """Set up, onboard a gateway and run the suite. Raises ``FailedError``."""
    project = machine.root / HOME.lstrip("/")
    subprocess.run(["git", "clone", "--quiet", str(PROJECT), str(project)], check=True)
    print(machine.must("python3 --version; make --version | head -1").strip(), flush=True)
    refused = machine.run("make run", directory=HOME)
    needed = re.search(r"apt-get install (\S+)\. Then run this again", refused.stderr)
    if not refused.returncode or not needed:
        raise FailedError(f"it is not told what is missing:\n{refused.stdout}{refused.stderr}")
    print(f"make run asks for {needed[1]}", flush=True)
    machine.must(
        f"apt-get update -qq && apt-get install -y -qq --no-install-recommends {needed[1]}"
    )
    said = timed("make run, to its commands, and onboarding by each of them", machine, ONBOARD)
    if warnings := re.findall(r"^.*\bwarning\b.*$", said, re.MULTILINE):
        raise FailedError("the first start warns:\n" + "\n".join(warnings))
    said = timed("make test", machine, "make test")
    print(said.strip().splitlines()[-1])
    version = machine.must(".venv/bin/python --version", directory=HOME).split()[1]
    print(f"the suite passed on Python {version}", flush=True)


def timed(what: str, machine: Debian, script: str) -> str:
    """Run a script where the project is, and say how long it took. Raises ``FailedError``."""
    began = time.monotonic()
    said = machine.must(script, {"PORT": "9143"}, HOME)
    print(f"{what}: {time.monotonic() - began:.0f} s", flush=True)
    return said


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
