"""The command line as a person or script meets it: arguments in, both streams and the code out."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from provision.cli.main import main
from tests import database


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
    with (
        pytest.MonkeyPatch.context() as given,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        if "--data" in arguments:
            data = Path(arguments[arguments.index("--data") + 1])
            for name, value in database.environment(data).items():
                given.setenv(name, value)
        try:
            main(arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
            return Ended(code, out.getvalue(), err.getvalue())
    raise AssertionError("a command always ends with an exit code")
