"""What Go's text/template recorded is what this engine does: class, bytes and error text.

``cases.jsonl`` covers the language category by category; ``generated.jsonl`` was made by a
generator of random statements, pipelines, formats and broken templates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from bootstrap_core.gotemplate.conformance import Result, run

DATA = Path(__file__).parents[1] / "data" / "gotemplate"

# Slices beyond a list's end show what Go's allocator left there; they are refused.
REFUSED = {"c1911", "c1912", "c1919"}
# Refused by Go as well, where the words depend on the same.
OTHER_WORDS = {"c1914"}


@pytest.fixture(scope="module")
def results() -> Mapping[str, Sequence[Result]]:
    found = defaultdict(list)
    for name in ("cases.jsonl", "generated.jsonl"):
        for result in run(DATA / name):
            found[name].append(result)
    return found


@pytest.mark.parametrize(("name", "count"), [("cases.jsonl", 3471), ("generated.jsonl", 1500)])
def test_class_and_bytes_are_those_of_go(
    results: Mapping[str, Sequence[Result]], name: str, count: int
) -> None:
    assert len(results[name]) == count
    failed = [result for result in results[name] if not result.passed and result.id not in REFUSED]
    assert failed == []


@pytest.mark.parametrize("name", ["cases.jsonl", "generated.jsonl"])
def test_errors_are_those_of_go_word_for_word(
    results: Mapping[str, Sequence[Result]], name: str
) -> None:
    different = [
        result
        for result in results[name]
        if not result.same_error and result.id not in REFUSED | OTHER_WORDS
    ]
    assert different == []


def test_what_is_refused_is_refused_with_an_error(
    results: Mapping[str, Sequence[Result]],
) -> None:
    refused = [result for result in results["cases.jsonl"] if result.id in REFUSED]
    assert {result.got.kind for result in refused} == {"exec error"}
    assert all("error calling slice: index out of range" in result.got.error for result in refused)
