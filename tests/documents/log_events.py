"""The list of all log events: found in the code, explained here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.cli.served import ROOT

LEVELS = {"debug", "info", "warning", "error", "exception"}
WITH_VARIABLE_TEXT = {
    "can't take connections for a moment": "warning",
    "issuer_crl: ...": "warning",
    "onboarding": "info, warning",
    "too many connections": "warning",
}
"""Events whose text or level the code gives in a variable, and their levels."""
MEANINGS = {
    "a request says that a proxy forwarded it, ...": (
        "Told once: name the proxy in `MG_PROVISION_TRUSTED_PROXIES`."
    ),
    "a server that checks the whole chain refuses every device ...": (
        "`MG_PROVISION_ISSUER_CRL` lacks the CRL of an authority above yours."
    ),
    "another replica has made the operator's account: ...": "Told at the first start.",
    "answer not kept": "The answer for an `Idempotency-Key` could not be stored.",
    "can't look for work left behind": "The database did not answer; tried again.",
    "can't take connections for a moment": "The process has too many open files, for example.",
    "certificate not looked after": "`error` has the reason; the next round tries again.",
    "certificate not renewed": "`error` has the reason; tried again.",
    "credentials not passed on": (
        "An onboarding that waits for credentials could not be resumed with a caller's token; "
        "`error` has the reason."
    ),
    "fetches are not written; the next round tries again": (
        "The database did not answer, or another error; the devices were answered."
    ),
    "key not given up": (
        "The database did not answer after a request with an `Idempotency-Key` failed: "
        "the key is free again after three minutes."
    ),
    "more fetches are noted than there is room for: ...": (
        "The database does not take when devices last fetched. "
        "`provision_fetch_notes_dropped_total` counts what is lost."
    ),
    "the content that a device fetched can't be shown": (
        "What people see of that fetch could not be made; the device was answered."
    ),
    "certificate renewed": "The device gets it at its next fetch.",
    "certificates can't be looked after": "The renewal loop met an error; tried again.",
    "credentials found": "Stuck onboardings resume with the token of this request.",
    "fewer connections than set fit the open files of the process (ulimit -n)": (
        "Raise the limit of open files, or lower `MG_PROVISION_MAX_CONNECTIONS`."
    ),
    "issuer_crl: ...": "A CRL of that file has expired.",
    "layout read": "The file is in use.",
    "layout read with warnings": "The file is in use; `problems` has the warnings.",
    "layout refused": "The file has mistakes; the last good version is in use.",
    "lease not released": "The row is taken over when the lease ends.",
    "lease not renewed": "The lease keeper did not reach the database; tried again.",
    "not finished": "An attempt at an onboarding failed; tried again.",
    "not the platform": "Something else answers at the platform's address.",
    "old certificate not revoked": "Tried again.",
    "onboarding": "An onboarding changed: `action`, `outcome`, `state`, `error`.",
    "onboarding can't be read": "A sealing key is missing, or the row was altered.",
    "onboarding work failed": "A fault inside the service, with its traceback.",
    "page failed": "A page of the console met a fault, with its traceback.",
    "platform_call_repeated": "A call to the platform failed and is repeated.",
    "request": "A request was answered: `method`, `path`, `status`, `milliseconds`.",
    "request failed": "A fault inside the service, with its traceback.",
    "request refused": "The request was too large, too slow or malformed.",
    "the store can't be used": "The database does not answer, is full or is locked.",
    "too many connections": "Every connection has a running request; new ones are closed.",
    "undertaking failed": "Work behind a page of the console met a fault, with its traceback.",
    "undo not begun": "The database did not answer; the onboarding is rolled back later.",
}


def write() -> str:
    """Return a Markdown table of every event. Raises ``LookupError``: one has no meaning."""
    found = {**{_short(event): level for event, level in events()}, **WITH_VARIABLE_TEXT}
    if unlike := found.keys() ^ MEANINGS.keys():
        raise LookupError(f"events without a meaning, or the other way round: {sorted(unlike)}")
    rows = ["| event | level | meaning |", "|---|---|---|"]
    rows += [f"| `{event}` | {found[event]} | {MEANINGS[event]} |" for event in sorted(found)]
    return "\n".join(rows)


def events() -> Iterator[tuple[str, str]]:
    """Yield the text and the level of each event that the code logs with a text of its own."""
    for package in ("provision", "bootstrap_core"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield from _events_of(path)


def _events_of(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        logger = ast.unparse(node.func.value)
        if node.func.attr in LEVELS and logger.endswith(("log", "get_logger()")) and node.args:
            text = node.args[0]
            if isinstance(text, ast.Constant):
                level = "error" if node.func.attr == "exception" else node.func.attr
                yield str(text.value), level


def _short(event: str) -> str:
    """Return the start of a long event, up to where the table's own texts are cut."""
    for shown in MEANINGS:
        if shown.endswith("...") and event.startswith(shown.removesuffix("...").rstrip()):
            return shown
    return event
