"""Questions to whoever sits at the terminal; they are no result, and stand on standard error."""

from __future__ import annotations

import getpass
import sys
from typing import Final

from provision.cli.exits import CommandFailed

ANSWERS: Final = {"y": True, "yes": True, "n": False, "no": False}


def ask(question: str, default: str, otherwise: str) -> str:
    """Return the answer, ``default`` for an empty one.

    Raises ``CommandFailed``, with ``otherwise`` as what to do, where nobody answers.
    """
    return _answer(f"{question} [{default}]: ", otherwise) or default


def ask_secret(question: str, otherwise: str) -> str:
    """Return the answer, which is not shown; piped in, it is the next line of standard input.

    Raises as ``ask``.
    """
    if sys.stdin.isatty():
        try:
            return getpass.getpass(f"{question}: ", sys.stderr)
        except EOFError:
            raise CommandFailed("nobody answers", otherwise) from None
    return _answer(f"{question}: ", otherwise)


def confirm(question: str, otherwise: str, *, default: bool) -> bool:
    """Return whether the answer is yes, ``default`` for an empty one. Raises as ``ask``."""
    choice = "Y/n" if default else "y/N"
    while True:
        answer = _answer(f"{question}? [{choice}]: ", otherwise).strip().lower()
        if answer in ("", *ANSWERS):
            return ANSWERS.get(answer, default)


def _answer(prompt: str, otherwise: str) -> str:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    try:
        answer = input()
    except EOFError:
        sys.stderr.write("\n")
        raise CommandFailed("nobody answers", otherwise) from None
    if not sys.stdin.isatty():
        sys.stderr.write("\n")
    return answer
