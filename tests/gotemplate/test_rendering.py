"""Profiles become configurations: the right data, every format, errors that tell no secrets."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
import yaml

from bootstrap_core.errors import NotRenderable, RenderError
from bootstrap_core.formats.rendering import (
    ContentFormat,
    RenderBinding,
    RenderContext,
    RenderDevice,
    Renderer,
    RenderProfile,
    render,
)
from bootstrap_core.gotemplate import Limits

CONTEXT = RenderContext(
    RenderDevice("cfg-1", "01:02", "dom"),
    {"site": "hall", "interval": 15},
    {
        "mqtt": RenderBinding("client", "c1", {"identity": "pi"}, {"secret": "s3cr3t-value"}),
        "odd": RenderBinding("client", "c2", None, {"k": 's3cr3t"\\with\tsigns'}),
        "up": RenderBinding("channel", "ch1"),
    },
)
DEFAULTS = {"site": "hq", "host": "localhost", "nested": {"a": 1}}


def of(text: str, content_format: str = "go-template", context: RenderContext = CONTEXT) -> str:
    profile = RenderProfile("sensors", ContentFormat(content_format), text, DEFAULTS)
    return Renderer().render(profile, context)


def fault(text: str, content_format: str = "go-template") -> RenderError:
    with pytest.raises(RenderError) as caught:
        of(text, content_format)
    return caught.value


class TestContext:
    def test_device(self) -> None:
        text = "{{ .Device.ID }} {{ .Device.ExternalID }} {{ .Device.DomainID }}"
        assert of(text) == "cfg-1 01:02 dom"

    def test_the_configs_variables_win_over_the_profiles_defaults(self) -> None:
        assert of("{{ .Vars.site }} {{ .Vars.host }} {{ .Vars.interval }}") == "hall localhost 15"

    def test_values_win_as_a_whole(self) -> None:
        context = RenderContext(variables={"nested": {"b": 2}})
        assert of("{{ toJSON .Vars.nested }}", context=context) == '{"b":2}'

    def test_bindings_by_slot(self) -> None:
        text = "{{ range $slot, $b := .Bindings }}{{ $slot }}={{ $b.Type }}/{{ $b.ID }} {{ end }}"
        assert of(text) == "mqtt=client/c1 odd=client/c2 up=channel/ch1 "
        text = "{{ .Bindings.mqtt.Snapshot.identity }} {{ .Bindings.mqtt.Secret.secret }}"
        assert of(text) == "pi s3cr3t-value"

    def test_what_a_binding_does_not_have_is_nil(self) -> None:
        assert of("{{ .Bindings.up.Secret }}{{ toJSON .Bindings.up.Snapshot }}") == "map[]null"

    def test_a_slot_without_binding(self) -> None:
        assert of('[{{ (index .Bindings "x").ID }}]') == "[]"
        assert "map has no entry" in str(fault("{{ .Bindings.x.ID }}"))

    def test_nothing_given(self) -> None:
        assert render(
            RenderProfile("p", ContentFormat.GO_TEMPLATE, "{{ . }}"), RenderContext()
        ) == ("{{  } map[] map[]}")


class TestFormats:
    def test_go_template_gives_what_the_template_writes(self) -> None:
        assert of('{ "a": {{ .Vars.site }} ') == '{ "a": hall '

    def test_raw_is_not_executed(self) -> None:
        assert of("{{ oops", "raw") == "{{ oops"

    @pytest.mark.parametrize(
        ("content_format", "text"),
        [
            ("json", '{"b":  {{ .Vars.interval }}, "a": [1.0, 12345678901234567890]}\n'),
            ("yaml", "# a comment\nb: {{ .Vars.interval }}\na: [1, two]\n"),
            ("toml", '# a comment\n[b]\nv = {{ .Vars.interval }}\ns = "{{ .Vars.site }}"\n'),
        ],
    )
    def test_what_is_valid_is_delivered_as_the_template_wrote_it(
        self, content_format: str, text: str
    ) -> None:
        expected = text.replace("{{ .Vars.interval }}", "15").replace("{{ .Vars.site }}", "hall")
        assert of(text, content_format) == expected

    @pytest.mark.parametrize("content_format", ["json", "yaml", "toml"])
    def test_what_is_not_is_refused_with_its_place(self, content_format: str) -> None:
        error = fault('{"a": 1,\n "b": [1,}', content_format)
        assert error.line in {0, 1, 2}
        assert "line" in str(error)
        assert f"the output is not valid {content_format.upper()}" in error.reason

    def test_text_of_another_format_is_converted(self) -> None:
        text = "b: [x, {{ .Vars.site }}]\nc: yes\nd: 2020-01-01\ne: 010\nf: ~\n"
        value = {"b": ["x", "hall"], "c": "yes", "d": "2020-01-01T00:00:00Z", "e": 8, "f": None}
        assert json.loads(of(text, "json")) == value
        assert of(text, "toml") == (
            "b = ['x', 'hall']\nc = 'yes'\nd = 2020-01-01T00:00:00Z\ne = 8\n"
        )
        assert json.loads(of('a = "{{ .Vars.site }}"\n[t]\nn = 1\n', "json")) == {
            "a": "hall",
            "t": {"n": 1},
        }
        assert tomllib.loads(of('{"a": {"b": [1, {"c": "d"}]}}', "toml")) == {
            "a": {"b": [1, {"c": "d"}]}
        }

    def test_yaml_that_devices_would_read_differently_is_made_plain(self) -> None:
        text = of("on: yes # really\nat: 12:30:45\nn: 1e3\nday: 2020-01-01\n", "yaml")
        assert yaml.safe_load(text) == {
            "on": "yes",
            "at": "12:30:45",
            "n": 1000.0,
            "day": yaml.safe_load("2020-01-01T00:00:00Z"),
        }


class TestErrors:
    def test_an_operator_sees_profile_line_and_variable(self) -> None:
        error = fault("a\n b: {{ .Vars.nope }}")
        assert (error.profile, error.line, error.column) == ("sensors", 2, 13)
        assert error.variable == ".Vars.nope"
        assert str(error) == (
            'profile "sensors": line 2, column 13, at .Vars.nope: map has no entry for key "nope"; '
            "set it in the profile's defaults or the config's render context, or bind its slot"
        )

    def test_a_required_value(self) -> None:
        error = fault('{{ required "zone" (index .Vars "zone") }}')
        assert 'required value "zone" is missing; set it' in str(error)

    def test_a_template_that_cannot_be_parsed(self) -> None:
        error = fault("a\n{{ if }}")
        assert (error.profile, error.line) == ("sensors", 2)
        assert "missing value for if" in str(error)

    def test_a_limit(self) -> None:
        profile = RenderProfile("p", ContentFormat.GO_TEMPLATE, "{{ range 1000 }}{{ end }}")
        with pytest.raises(RenderError, match="more than 10 steps"):
            Renderer(Limits(steps=10)).render(profile, CONTEXT)

    @pytest.mark.parametrize(
        ("text", "content_format"),
        [
            ("{{ range .Bindings.mqtt.Secret.secret }}{{ end }}", "go-template"),
            ("{{ required .Bindings.mqtt.Secret.secret nil }}", "go-template"),
            ("{{ eq .Bindings.mqtt.Secret .Bindings.mqtt.Secret }}", "go-template"),
            ('{{ printf "%d" .Bindings.mqtt.Secret.secret }}: [', "yaml"),
            ("a: 1\n{{ .Bindings.mqtt.Secret.secret }}: 1\n{{ .Bindings.mqtt.Secret.secret }}: 2",
             "yaml"),
            ("{{ .Bindings.mqtt.Secret.secret }}", "toml"),
            ("{{ .Bindings.mqtt.Secret.secret }} = 1\n{{ .Bindings.mqtt.Secret.secret }} = 1",
             "toml"),
            ("{{ required .Bindings.odd.Secret.k nil }}", "go-template"),
            ("a: 1\n{{ toJSON .Bindings.odd.Secret.k }}: 1\n{{ toJSON .Bindings.odd.Secret.k }}: 2",
             "yaml"),
        ],
    )  # fmt: skip
    def test_no_secret_in_a_message(self, text: str, content_format: str) -> None:
        error = fault(text, content_format)
        seen: BaseException | None = error
        while seen:
            assert "s3cr3t" not in str(seen)
            assert "s3cr3t" not in repr(seen)
            seen = seen.__cause__

    def test_no_secret_in_a_repr(self) -> None:
        assert "s3cr3t" not in repr(CONTEXT)

    def test_a_device_is_told_nothing_of_it(self) -> None:
        assert (
            str(NotRenderable())
            == "The device's configuration is not complete yet; try again later."
        )


class TestRenderer:
    def test_check_takes_what_can_be_parsed(self) -> None:
        renderer = Renderer()
        renderer.check(ContentFormat.JSON, "{{ .Vars.nope }} is not JSON")
        renderer.check(ContentFormat.RAW, "{{ oops")
        with pytest.raises(RenderError, match='line 1: function "upper" not defined') as caught:
            renderer.check(ContentFormat.YAML, '{{ upper "a" }}')
        assert caught.value.line == 1

    @pytest.mark.parametrize("size", [0, 5, 100, 10_000])
    def test_any_size_of_cache_gives_the_same(self, size: int) -> None:
        renderer = Renderer(cache_size=size)
        for _ in range(3):
            for n in range(20):
                text = f"{n}: {{{{ .Vars.site }}}}"
                profile = RenderProfile("p", ContentFormat.GO_TEMPLATE, text)
                assert renderer.render(profile, CONTEXT) == f"{n}: hall"

    def test_values_that_the_data_may_hold(self) -> None:
        variables: dict[str, Any] = {"l": [1, 2.5, None, "x", {"k": [True]}], "t": (1, 2)}
        context = RenderContext(variables=variables)
        assert of("{{ toJSON .Vars.l }} {{ .Vars.t }}", context=context) == (
            '[1,2.5,null,"x",{"k":[true]}] [1 2]'
        )
