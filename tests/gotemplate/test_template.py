"""The engine's public face: parse once, render many, errors that say where."""

from __future__ import annotations

import contextlib
import pickle
import threading
from collections import Counter
from typing import Any

import pytest

from bootstrap_core.gotemplate import (
    NIL_MAP,
    ExecError,
    FunctionError,
    LimitExceeded,
    ParseError,
    Struct,
    StructMap,
    Template,
    TemplateError,
)


def rendered(text: str, data: Any = None, **options: Any) -> str:
    return Template.parse(text, **options).render(data)


def test_parsed_once_rendered_many_times() -> None:
    template = Template.parse("{{ range $i, $v := .l }}{{ $i }}={{ $v }};{{ end }}")
    assert template.render({"l": ["a", "b"]}) == "0=a;1=b;"
    assert template.render({"l": []}) == ""
    assert template.render({"l": ("x",)}) == "0=x;"


def test_one_template_serves_several_threads() -> None:
    template = Template.parse("{{ $n := .n }}{{ range .l }}{{ $n }}{{ . }} {{ end }}")
    seen: Counter[bool] = Counter()

    def work(n: str) -> None:
        for _ in range(200):
            expected = f"{n}a {n}b "
            seen[template.render({"n": n, "l": ["a", "b"]}) == expected] += 1

    threads = [threading.Thread(target=work, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {True: 800}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1000000, "1e+06"),
        (999999, "999999"),
        (1883, "1883"),
        (0.1, "0.1"),
        (True, "true"),
        (None, "<no value>"),
        ("<é>", "<é>"),
        (b"bytes", "bytes"),
        ([1, None, "x"], "[1 <nil> x]"),
        ({"b": 1, "a": {}}, "map[a:map[] b:1]"),
    ],
)
def test_values_print_as_in_go(value: Any, text: str) -> None:
    assert rendered("{{ .v }}", {"v": value}) == text


def test_numbers_of_the_data_are_floats_and_those_of_the_template_integers() -> None:
    assert rendered('{{ printf "%T %T" .n 1 }}', {"n": 1}) == "float64 int"
    with pytest.raises(ExecError, match="incompatible types for comparison: float64 and int"):
        rendered("{{ eq .n 1 }}", {"n": 1})


def test_bytes_that_are_not_text_pass_through_and_show_as_replacement() -> None:
    template = Template.parse(
        r'{{ slice "é" 0 1 }}|{{ slice "é" 0 1 }}{{ slice "é" 1 }}|{{ "\xff" }}'
    )
    assert template.render_bytes(None) == b"\xc3|\xc3\xa9|\xff"
    assert template.render(None) == "\ufffd|é|\ufffd"


def test_lone_surrogates_in_text_and_data_are_replaced() -> None:
    assert Template.parse("\ud800{{ .v }}").render_bytes({"v": "\udfff"}) == (b"\xef\xbf\xbd" * 2)


@pytest.mark.parametrize(
    ("missingkey", "field", "result"),
    [
        ("default", ".m.x", "<no value>"),
        ("zero", ".m.x", "<no value>"),
        ("zero", ".structs.x.ID", ""),
        ("default", ".structs.x.ID", "<no value>"),
    ],
)
def test_missingkey(missingkey: str, field: str, result: str) -> None:
    data = {"m": {}, "structs": StructMap({}, Struct("T", {"ID": ""}))}
    text = "{{ " + field + " }}"
    assert rendered(text, data, missingkey=missingkey) == result
    with pytest.raises(ExecError, match='map has no entry for key "x"'):
        rendered(text, data)


def test_an_unknown_missingkey_is_refused() -> None:
    with pytest.raises(ValueError, match="'ignore'; it may be error, default or zero"):
        Template.parse("", missingkey="ignore")


def test_structs_know_their_fields_and_their_type() -> None:
    device = Struct("bootstrap.DeviceContext", {"ID": "d", "Snapshot": NIL_MAP})
    assert rendered("{{ .ID }} {{ . }} {{ toJSON . }}", device) == (
        'd {d map[]} {"ID":"d","Snapshot":null}'
    )
    with pytest.raises(ExecError, match=r"field Name in type bootstrap\.DeviceContext"):
        rendered("{{ .Name }}", device)


class TestOwnFunctions:
    def test_they_get_values_by_position(self) -> None:
        funcs = {"join": lambda sep, items: sep.join(items), "answer": lambda: 42}
        text = '{{ join "-" .l }} {{ .l | join "+" }} {{ printf "%T %d" answer answer }}'
        assert rendered(text, {"l": ["a", "b"]}, funcs=funcs) == "a-b a+b int 42"

    def test_any_number_of_arguments(self) -> None:
        assert rendered("{{ n 1 2 3 }}{{ n }}", funcs={"n": lambda *a: len(a)}) == "30"

    def test_the_wrong_number_of_arguments(self) -> None:
        with pytest.raises(ExecError, match="wrong number of args for f: want 1 got 2"):
            rendered("{{ f 1 2 }}", funcs={"f": lambda a: a})

    def test_their_errors_are_the_templates_errors(self) -> None:
        def refuse() -> None:
            raise FunctionError("not today")

        with pytest.raises(ExecError, match="error calling refuse: not today"):
            rendered("{{ refuse }}", funcs={"refuse": refuse})
        with pytest.raises(ExecError, match="error calling broken: ZeroDivisionError"):
            rendered("{{ broken 1 }}", funcs={"broken": lambda n: n / 0})

    def test_they_may_replace_what_is_built_in(self) -> None:
        assert rendered('{{ len "abc" }}', funcs={"len": lambda text: f"<{text}>"}) == "<abc>"

    def test_an_integer_that_go_does_not_have(self) -> None:
        with pytest.raises(ExecError, match="overflows int"):
            rendered("{{ big }}", funcs={"big": lambda: 2**63})


class TestErrors:
    def test_a_parse_error_names_template_and_line(self) -> None:
        with pytest.raises(ParseError) as caught:
            Template.parse("a\nb {{ nope }}", name="gw")
        error = caught.value
        assert (error.name, error.line, error.column) == ("gw", 2, None)
        assert error.message == 'function "nope" not defined'
        assert str(error) == 'template: gw:2: function "nope" not defined'

    def test_an_exec_error_names_place_template_and_context(self) -> None:
        template = Template.parse('{{ define "in" }}\n é {{ .x.y }}{{ end }}{{ template "in" . }}')
        with pytest.raises(ExecError) as caught:
            template.render({"x": {}})
        error = caught.value
        assert (error.name, error.template) == ("template", "in")
        assert (error.line, error.column, error.context) == (2, 9, ".x.y")
        assert str(error) == (
            'template: template:2:9: executing "in" at <.x.y>: map has no entry for key "y"'
        )

    def test_the_name_is_quoted_as_in_go(self) -> None:
        with pytest.raises(ExecError, match=r'executing "a\\"\\n" at'):
            rendered("{{ .x }}", {}, name='a"\n')

    def test_errors_can_be_copied_between_processes(self) -> None:
        for text in ("{{", "{{ .x }}", '{{ printf "%999999d" 1 }}'):
            with pytest.raises(TemplateError) as caught:
                rendered(text, {})
            copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
            assert (type(copy), str(copy)) == (type(caught.value), str(caught.value))
            if isinstance(copy, LimitExceeded):
                assert copy.limit == "width"

    @pytest.mark.parametrize(
        "text",
        [
            "{{ .v }}",
            "{{ range .v }}{{ end }}",
            "{{ printf .v }}",
            "{{ len .v }}",
            "{{ index .v 0 }}",
            "{{ slice .v 0 }}",
            "{{ eq .v 1 }}",
            "{{ lt .v 1 }}",
            "{{ call .v }}",
            "{{ toJSON .v }}",
            "{{ .v.x }}",
            "{{ html .v }}",
        ],
    )
    @pytest.mark.parametrize("value", [object(), {1: 2}, {None: 1}, 10**400, [10**400]])
    def test_data_that_json_does_not_have_are_the_templates_error(
        self, text: str, value: Any
    ) -> None:
        with contextlib.suppress(ExecError):
            Template.parse(text).render({"v": value})

    def test_no_value_at_the_top(self) -> None:
        assert rendered("{{ . }}") == "<no value>"
        with pytest.raises(ExecError, match='nil data; no entry for key "x"'):
            rendered("{{ .x }}")
