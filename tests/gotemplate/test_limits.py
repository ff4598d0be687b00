"""Each limit stops what goes over it, by an error that names it, and lets through the rest."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from bootstrap_core.gotemplate import (
    ExecError,
    ExecLimitExceeded,
    LimitExceeded,
    Limits,
    ParseError,
    ParseLimitExceeded,
    Template,
)

RECURSIVE = (
    '{{ define "r" }}{{ if .n }}{{ template "r" .n }}{{ end }}x{{ end }}{{ template "r" . }}'
)


def chain(length: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(length):
        value = {"n": value}
    return value


PARSING = [
    ("template_size", Limits(template_size=10), "é" * 5, "é" * 5 + "x"),
    ("items", Limits(items=8), "{{ 1 }}{{ 1 }}", "{{ 1 }}{{ 1 }}{{ 1 }}"),
    ("nesting", Limits(nesting=2), "{{if 1}}" * 2 + "{{end}}" * 2, "{{if 1}}" * 3 + "{{end}}" * 3),
    ("nesting", Limits(nesting=1), "{{block `a` .}}{{end}}",
     "{{with 1}}{{block `a` .}}{{end}}{{end}}"),
    ("parentheses", Limits(parentheses=2), "{{print (print (print 1))}}",
     "{{print (print (print (print 1)))}}"),
    ("parentheses", Limits(parentheses=2), "{{((((((1))))))}}", "{{((((1).a).b).c)}}"),
    ("variables", Limits(variables=2), "{{$a := 1}}{{$b := 1}}", "{{$a := 1}}" * 3),
]  # fmt: skip


@pytest.mark.parametrize(("limit", "limits", "good", "bad"), PARSING)
def test_limits_of_parsing(limit: str, limits: Limits, good: str, bad: str) -> None:
    Template.parse(good, limits=limits)
    with pytest.raises(ParseLimitExceeded) as caught:
        Template.parse(bad, limits=limits)
    assert caught.value.limit == limit
    assert isinstance(caught.value, ParseError)
    assert isinstance(caught.value, LimitExceeded)


EXECUTING = [
    ("steps", Limits(steps=100), "{{range 20}}{{.}}{{end}}", "{{range 200}}{{.}}{{end}}"),
    ("steps", Limits(steps=100), "{{range 20}}{{end}}", "{{range 1000000000}}{{end}}"),
    ("steps", Limits(steps=100), "{{if eq 1 1}}{{end}}", "{{if or" + " 0" * 200 + "}}{{end}}"),
    ("steps", Limits(steps=100), "{{print .l}}", "{{print .l .l .l .l .l .l .l .l .l .l}}"),
    ("output", Limits(output=10), "{{.s}}{{.s}}", "{{.s}}{{.s}}x"),
    ("string", Limits(string=10), "{{print .s .s}}", "{{print .s .s .s}}"),
    ("string", Limits(string=10), '{{printf "%10s" ""}}', '{{printf "%s%s" .s "123456"}}'),
    ("string", Limits(string=10), "{{html .s}}", '{{html "&&&"}}'),
    ("string", Limits(string=10), "{{toJSON .s}}", "{{toJSON .l}}"),
    ("width", Limits(width=20), '{{printf "%20d" 1}}', '{{printf "%21d" 1}}'),
    ("width", Limits(width=20), '{{printf "%.20f" 1.0}}', '{{printf "%.*f" 21 1.0}}'),
    ("call_depth", Limits(call_depth=3), '{{template "r" .two}}', '{{template "r" .nine}}'),
    ("data_depth", Limits(data_depth=3), "{{print .two}}", "{{print .nine}}"),
    ("data_depth", Limits(data_depth=3), "{{toJSON .two}}", "{{toJSON .nine}}"),
]  # fmt: skip


@pytest.mark.parametrize(("limit", "limits", "good", "bad"), EXECUTING)
def test_limits_of_executing(limit: str, limits: Limits, good: str, bad: str) -> None:
    define = '{{define "r"}}{{if .n}}{{template "r" .n}}{{end}}{{end}}'
    data = {"s": "12345", "l": list(range(10)), "two": chain(2), "nine": chain(9)}
    Template.parse(define + good, limits=limits).render(data)
    template = Template.parse(define + bad, limits=limits)
    with pytest.raises(ExecLimitExceeded) as caught:
        template.render(data)
    error = caught.value
    assert error.limit == limit
    assert isinstance(error, ExecError)
    assert isinstance(error, LimitExceeded)
    assert error.line == 1
    assert error.context


def test_the_defaults_leave_room_for_real_profiles() -> None:
    text = "".join(f'"{n}": "{{{{ .Vars.v }}}}",\n' for n in range(1000))
    many = "{{ range .Vars.l }}{{ range $.Vars.m }}{{ .a }} {{ .b }}\n{{ end }}{{ end }}"
    data = {"Vars": {"v": "x", "l": list(range(100)), "m": [{"a": 1, "b": "x"}] * 50}}
    assert Template.parse(text).render(data).count('"x"') == 1000
    assert Template.parse(many).render(data).count("1 x") == 5000
    assert Template.parse(RECURSIVE).render(chain(40)) == "x" * 40


def test_a_deep_stack_below_leaves_enough_for_the_deepest_template() -> None:
    limits = Limits()
    text = "{{range .l}}" * limits.nesting + "{{" + "(print " * limits.parentheses + "1"
    text += ")" * limits.parentheses + "}}" + "{{end}}" * limits.nesting

    def deep(frames: int) -> str:
        return deep(frames - 1) if frames else Template.parse(text).render({"l": [1]})

    used = len(_frames())
    with pytest.raises(ExecError, match="can't evaluate field l"):
        deep(sys.getrecursionlimit() - used - 620)


def test_no_room_on_the_stack_is_an_error_of_the_engine() -> None:
    text = "{{if 1}}" * 90 + "{{end}}" * 90
    template = Template.parse(text)

    def deep(frames: int) -> None:
        if frames:
            deep(frames - 1)
        else:
            with pytest.raises(ParseLimitExceeded, match="too deeply for the stack"):
                Template.parse(text)
            with pytest.raises(ExecLimitExceeded, match="too deeply for the stack"):
                template.render(None)

    deep(sys.getrecursionlimit() - len(_frames()) - 90)


def _frames() -> list[object]:
    frame = sys._getframe()
    found: list[object] = []
    while frame.f_back:
        found.append(frame)
        frame = frame.f_back
    return found
