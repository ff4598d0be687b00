"""When an answer is as good as the recorded one.

Recorded values that change from run to run are written as ``<kind>``; ``{{name}}`` is what an
earlier answer gave. An answer may say more than the recorded one. What was recorded as empty may
be missing, and structured text (JSON, YAML) is compared as a value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import yaml

KINDS: Final = {
    "<uuid>": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "<time>": r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?",
    "<token>": r"[\w.~+/=-]+",
    "<secret>": r"\S+",
    "<serial>": r"[0-9a-fA-F:]+",
    "_<role>": r"_\w+",
}
PEM: Final = "<pem"
EMPTY: Final = (None, "", [], {}, 0)
UNORDERED: Final = ("actions",)
UNSTABLE_PAGES: Final = ("configs",)

Fill = Callable[[str], str]


def differences(recorded: object, answered: object, fill: Fill, where: str = "") -> Iterator[str]:
    """Tell where ``answered`` is not what was recorded; ``fill`` replaces ``{{name}}``."""
    if isinstance(recorded, dict):
        yield from _in_object(recorded, answered, fill, where)
    elif isinstance(recorded, list):
        yield from _in_list(recorded, answered, fill, where)
    elif isinstance(recorded, str):
        if not _same_text(fill(recorded), answered):
            yield f"{where}: {fill(recorded)!r:.120} expected, {answered!r:.120} answered"
    elif recorded is None:
        if answered not in EMPTY:
            yield f"{where}: nothing expected, {answered!r:.80} answered"
    elif recorded != answered or isinstance(recorded, bool) != isinstance(answered, bool):
        yield f"{where}: {recorded!r} expected, {answered!r:.80} answered"


def _in_object(recorded: dict[str, Any], answered: object, fill: Fill, where: str) -> Iterator[str]:
    if not isinstance(answered, dict):
        yield f"{where}: an object expected, {answered!r:.80} answered"
        return
    for name, value in recorded.items():
        key = fill(name)
        here = f"{where}.{key}"
        if key in KINDS:
            yield from _under_any_key(key, value, answered, fill, here)
        elif key not in answered:
            if value not in EMPTY:
                yield f"{here}: missing"
        elif key in UNSTABLE_PAGES and isinstance(value, list):
            if recorded.get("total") != len(value):
                yield from _count(value, answered[key], here)
            else:
                yield from _in_any_order(value, answered[key], fill, here)
        elif key in UNORDERED and isinstance(value, list):
            yield from _in_any_order(value, answered[key], fill, here)
        else:
            yield from differences(value, answered[key], fill, here)


def _under_any_key(
    kind: str, value: object, answered: dict[str, Any], fill: Fill, where: str
) -> Iterator[str]:
    fitting = [answered[key] for key in answered if re.fullmatch(KINDS[kind], key)]
    if not any(not list(differences(value, one, fill)) for one in fitting):
        yield f"{where}: nothing of this kind has {value!r:.80}"


def _in_list(recorded: list[Any], answered: object, fill: Fill, where: str) -> Iterator[str]:
    yield from _count(recorded, answered, where)
    if isinstance(answered, list) and len(answered) == len(recorded):
        for place, (value, got) in enumerate(zip(recorded, answered, strict=True)):
            yield from differences(value, got, fill, f"{where}[{place}]")


def _in_any_order(recorded: list[Any], answered: object, fill: Fill, where: str) -> Iterator[str]:
    yield from _count(recorded, answered, where)
    left = list(answered) if isinstance(answered, list) else []
    for place, value in enumerate(recorded):
        match = next((got for got in left if not list(differences(value, got, fill))), None)
        if match is None:
            yield f"{where}[{place}]: {value!r:.80} is not in the answer"
        else:
            left.remove(match)


def _count(recorded: list[Any], answered: object, where: str) -> Iterator[str]:
    if not isinstance(answered, list):
        if recorded or answered not in EMPTY:
            yield f"{where}: a list expected, {answered!r:.80} answered"
    elif len(answered) != len(recorded):
        yield f"{where}: {len(recorded)} elements expected, {len(answered)} answered"


def _same_text(recorded: str, answered: object) -> bool:
    if not isinstance(answered, str):
        return not recorded and answered is None
    if recorded.startswith(PEM):
        return answered.startswith("-----BEGIN ")
    pattern = re.escape(recorded)
    for kind, form in KINDS.items():
        pattern = pattern.replace(re.escape(kind), form)
    return re.fullmatch(pattern, answered, re.DOTALL) is not None or _same_value(recorded, answered)


def _same_value(recorded: str, answered: str) -> bool:
    for load in (json.loads, yaml.safe_load):
        try:
            values = load(recorded), load(answered)
        except (ValueError, yaml.YAMLError):
            continue
        if isinstance(values[0], dict | list):
            return bool(values[0] == values[1])
    return False
