"""The command line as a person or script meets it: arguments in, both streams and the code out."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

from attrs import frozen

from provision.cli.main import main


@frozen
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def provision(*arguments: str) -> Ended:
    """Run one command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
            return Ended(code, out.getvalue(), err.getvalue())
    raise AssertionError("a command always ends with an exit code")
