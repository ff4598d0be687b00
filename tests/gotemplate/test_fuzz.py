"""No template does more than it may: only the engine's errors, in bounded time, on any input."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bootstrap_core.gotemplate import Limits, Template, TemplateError
from bootstrap_core.gotemplate.context import binding_context, device_context, render_context
from tests.gotemplate.grammar import PIECES, Grammar
from tests.gotemplate.work import MOST, calls

deep: list[Any] = []
for _ in range(500):
    deep = [deep]
DATA = render_context(
    device_context("d", "e", "m"),
    {
        "s": "text é\x00<&>",
        "n": 1e21,
        "l": [1, "a", None, [2]],
        "m": {"a": {"b": 1}, "": None},
        "deep": deep,
        "big": "\x01é" * 20_000,
    },
    {"c": binding_context("client", "c1", {"id": "c1"}, {"secret": "x"})},
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def work(text: str, data: Any) -> int:
    """Return the calls that parsing and rendering come to, whatever they end with."""

    def attempt() -> None:
        with contextlib.suppress(TemplateError):
            template = Template.parse(text)
            template.render(data)
            template.render_bytes(data)

    return calls(attempt)


@pytest.mark.parametrize("seed", range(60))
def test_random_templates(seed: int) -> None:
    grammar = Grammar(seed)
    for _ in range(15):
        text = grammar.template()
        assert work(text, DATA) < 2 * MOST, text


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=30).map("".join))
def test_any_text(text: str) -> None:
    assert work(text, DATA) < 2 * MOST
    assert work("{{" + text + "}}", DATA) < 2 * MOST


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(json_values, st.integers(0, 10**6))
@pytest.mark.slow
def test_any_data(value: Any, seed: int) -> None:
    grammar = Grammar(seed)
    text = "{{ .v }}{{ range .v }}{{ . }}{{ end }}{{ toJSON .v }}{{ printf `%#v %q %x` .v .v .v }}"
    assert work(text, {"v": value}) < 2 * MOST
    assert (
        work(grammar.template(), {"Vars": {"l": value, "m": {"a": value}, "s": value}}) < 2 * MOST
    )


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 200))
@pytest.mark.slow
def test_a_smaller_limit_never_gives_another_result(seed: int, steps: int) -> None:
    text = Grammar(seed).template()
    results = []
    for limits in (Limits(), Limits(steps=steps)):
        try:
            results.append(Template.parse(text, limits=limits).render(DATA))
        except TemplateError as error:
            results.append(str(error))
    assert results[0] == results[1] or results[1].endswith(f"more than {steps} steps")
