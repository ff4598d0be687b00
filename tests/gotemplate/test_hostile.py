"""Templates made to hurt: on the default limits each ends within 300 ms and 64 MiB."""

from __future__ import annotations

import contextlib
import tracemalloc
from collections.abc import Collection
from typing import Any

import pytest

from bootstrap_core.gotemplate import Template, TemplateError
from tests.gotemplate.work import MOST, calls

SIZE = 64 * 1024
MEMORY = 64 * 1024 * 1024


def fill(piece: str, size: int = SIZE) -> str:
    return piece * (size // len(piece.encode()))


def numbered(piece: str, count: int) -> str:
    """Repeat a piece with # and ## replaced by its number and the next."""
    return "".join(piece.replace("##", str(i + 1)).replace("#", str(i)) for i in range(count))


def loop(action: str, start: str = "") -> str:
    return "{{ $x := " + (start or "1") + " }}{{ range 1000000 }}{{ " + action + " }}{{ end }}"


deep: list[Any] = []
for _ in range(900):
    deep = [deep]
DATA: dict[str, Any] = {
    "l": list(range(1000)),
    "m": {f"k{i}": i for i in range(2000)},
    "long": ["y" * 1000] * 1000,
    "big": "x" * 100_000,
    "wide": "é" * 100_000,
    "odd": "\x01\u2028" * 20_000,
    "deep": deep,
}

LOOPS = {
    "nested ranges": "{{ range 1000000000 }}{{ range 1000000000 }}{{ end }}{{ end }}",
    "nested maps": "{{ range .m }}{{ range $.m }}{{ range $.m }}{{ end }}{{ end }}{{ end }}",
    "continue": "{{ range 1000000 }}{{ continue }}{{ end }}",
    "many ifs": "{{ range 1000000 }}" + "{{if 1}}{{end}}" * 2500 + "{{ end }}",
    "many else ifs": "{{ range 9999 }}{{if 0}}" + "{{else if 0}}" * 3500 + "{{end}}{{ end }}",
    "many operands": loop("and" + " 1" * 18000),
    "self call": '{{define "a"}}{{template "a" .}}{{template "a" .}}{{end}}{{template "a" .}}',
    "call in a loop": '{{define "a"}}{{end}}{{range 1000000}}{{template "a"}}{{end}}',
    "doubling": loop("$x = print $x $x", '"aaaaaaaa"'),
    "doubling in line": '{{$x := "aaaaaaaa"}}' + fill("{{$x = print $x $x}}", SIZE // 4),
    "html": loop("$x = html $x $x", '"<&>"'),
    "js": loop("$x = js $x $x", '"<=>"'),
    "urlquery": loop("$x = urlquery $x $x", '"%%"'),
    "toJSON": loop("$x = toJSON $x", r'"\"\""'),
    "quoting": loop('$x = printf "%q%q" $x $x', r'"\"\""'),
    "hexadecimal": loop('$x = printf "%x" $x', '"ab"'),
}
VALUES = {
    "slice of a long text": loop("$x = slice $.wide 1"),
    "length of a long text": loop("$x = len $.wide"),
    "index of a long text": loop("$x = index $.wide 5"),
    "order of long texts": loop("$y := lt $x $.wide", 'print .wide ""'),
    "long texts quoted": loop('$x = printf "%q%+q" $.odd $.wide'),
    "long texts as JSON": loop("$x = toJSON $.odd"),
    "long texts for JavaScript": loop("$x = js $.odd"),
    "a long list": loop("$x = print $.l"),
    "a long map": loop("$x = toJSON $.m"),
    "long texts written": "{{ range $i := 1000 }}{{ range $.long }}{{ . }}{{ end }}{{ end }}",
    "a long text written often": fill("{{.big}}"),
    "deep data": "{{ .deep }}",
    "deep data as JSON": "{{ toJSON .deep }}",
    "deep data in Go's syntax": '{{ printf "%#v" .deep }}',
}
FORMATS = {
    "width": '{{ printf "%999999999d" 1 }}',
    "width by argument": '{{ printf "%*d" 999999 1 }}',
    "width often": loop('$x = printf "%99999d" 1'),
    "widths": '{{ printf "' + fill("%99999d", 60000) + '" 1 }}',
    "width of parts": loop('$x = printf "%9999d" $.l'),
    "precision": '{{ printf "%.999999999f" 1.5 }}',
    "precision often": loop('$x = printf "%.9999e" 1e-300'),
    "digits": loop('$x = printf "%.999g" 1e-300'),
    "large numbers": loop('$x = printf "%f" 1e300'),
    "complex numbers": loop('$x = printf "%v%v%v" 1i 2.5i 3e100i'),
    "leftover arguments": loop('$x = printf ""' + " 1" * 100),
    "percent signs": loop('$x = printf "' + "%%" * 100 + '"'),
}
TEXTS = {
    "parentheses": "{{" + "(" * 9999 + "1" + ")" * 9999 + "}}",
    "too many parentheses": "{{" + "(" * 30000 + "1" + ")" * 30000 + "}}",
    "calls in calls": "{{" + "(print " * 7000 + "1" + ")" * 7000 + "}}",
    "fields of fields": "{{" + "(" * 9000 + "1" + ").a" * 9000 + "}}",
    "a long pipeline": "{{1" + "|print" * 9000 + "}}",
    "many arguments": "{{print" + " 1.5" * 15000 + "}}",
    "many complex arguments": "{{print" + " 1+2i" * 12000 + "}}",
    "variables": numbered("{{$a#:=1}}", 5000),
    "variables declared in operands": "{{and" + " ($a:=1)" * 4000 + "}}",
    "open controls": "{{if 1}}" * 8000,
    "ranges in ranges": "{{range 2}}" * 99 + "x" + "{{end}}" * 99,
    "else ifs": "{{if 0}}" + "{{else if 0}}" * 4900 + "{{end}}",
    "definitions": numbered('{{define "a#"}}{{end}}', 2500),
    "chained definitions": numbered('{{define "a#"}}{{template "a##"}}{{end}}', 1400)
    + '{{template "a0"}}',
    "actions": fill("{{.l}}"),
    "braces": "{" * SIZE,
    "blanks": "{{" + " " * 60000 + "1}}",
    "quotes": '{{"' + "\\x41" * 15000,
    "digits": "{{" + "9" * 60000 + ".5}}",
    "hexadecimal digits": "{{0x" + "f" * 60000 + "}}",
    "digits twice": "{{" + "1" * 30000 + "+" + "1" * 30000 + "i}}",
    "underscores": "{{1" + "_1" * 30000 + ".5}}",
    "hexadecimal float": "{{0x" + "1" * 30000 + "." + "1" * 30000 + "p5}}",
    "an exponent": "{{1e" + "9" * 60000 + "}}",
    "fields": "{{" + ".a" * 30000 + "}}",
    "names": "{{" + ".é" * 20000 + "}}",
    "minus signs": "{{" + "-" * 60000 + "}}",
    "a long context": "{{print" + ' "a"' * 9000 + " (index nil)}}",
}
HOSTILE = LOOPS | VALUES | FORMATS | {f"text: {name}": text for name, text in TEXTS.items()}


def attempt(text: str) -> None:
    with contextlib.suppress(TemplateError):
        Template.parse(text).render(DATA)


HEAVY = [
    "doubling", "urlquery", "width often", "a long text written often", "many operands",
    "many else ifs", "text: many arguments", "text: actions", "text: definitions",
    "long texts written", "widths",
]  # fmt: skip


def _slow_but(kept: Collection[str]) -> list[Any]:
    """Return all of the texts; those that are not to be tried each time are slow ones."""
    return [
        each if each in kept else pytest.param(each, marks=pytest.mark.slow) for each in HOSTILE
    ]


@pytest.mark.parametrize("name", _slow_but([*HEAVY, "self call", "text: braces"]))
def test_work(name: str) -> None:
    text = HOSTILE[name]
    assert len(text.encode()) <= SIZE
    assert calls(lambda: attempt(text)) < MOST


KEPT = {
    "texts kept": numbered("{{$x# := print .big #}}", 990),
    "wide texts kept": numbered("{{$x# := printf `%99999s` `😀`}}", 990),
    "lists kept": numbered("{{$x# := slice .l 2}}", 990),
}


@pytest.mark.slow
@pytest.mark.parametrize("text", [*(HOSTILE[name] for name in HEAVY), *KEPT.values()])
def test_memory(text: str) -> None:
    tracemalloc.start()
    try:
        attempt(text)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()
