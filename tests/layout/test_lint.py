"""Warnings about what is legal but surely not meant."""

import pytest

from provision.layout.errors import Problem
from tests.layout.samples import GO as BARE
from tests.layout.samples import OWN, only_warning, warnings_of

GO = BARE.replace("[bootstrap]", "[bootstrap]\n  content = {site = 1}")
PROFILE = '[profile]\nname = "p"\ncontent_template = "«{}"\n'


def test_the_samples_are_clean() -> None:
    assert warnings_of(OWN) == []
    assert warnings_of(GO) == []
    assert warnings_of(GO.replace("clients", "things")) == []


@pytest.mark.parametrize(
    ("text", "rule", "message"),
    [
        (
            OWN.replace('name = "sample"', 'name = «"other"'),
            "layout-name",
            'the layout is called "sample", as its file is, not "other"',
        ),
        (
            OWN + '«[[channels]]\nname = "lonely"\n[[connections]]\nclients = ["agent"]\n'
            'channels = ["data", "control"]',
            "unconnected-channel",
            'nobody is connected to channel "lonely"',
        ),
        (
            OWN + '«[[clients]]\nname = "lonely"\n[[connections]]\nclients = ["agent"]\n'
            'channels = ["data", "control"]',
            "unconnected-client",
            'client "lonely" is connected to no channel',
        ),
        (
            OWN.replace('type = "control"', 'type = "other"').replace(
                "[[clients]]", "«[[clients]]"
            ),
            "no-control-channel",
            'gateway "agent" is connected to no control channel',
        ),
        (
            OWN.replace("[[clients]]", "«[[clients]]")
            + '[[connections]]\nclients=["agent"]\nchannels=["control"]\n[[clients]]\n'
            'name="b"\n[[connections]]\nclients=["b"]\nchannels=["data"]',
            "no-data-channel",
            'gateway "agent" is connected to no data channel',
        ),
        (
            OWN.replace("bootstrap = true", "").replace("[[clients]]", "«[[clients]]"),
            "no-gateway",
            "no client is the gateway, so there will be no bootstrap config",
        ),
        (
            OWN.replace("bootstrap = true", 'bootstrap = true\nmetadata = { «type = "x" }'),
            "reserved-metadata",
            'metadata "type" of the gateway is set by the service',
        ),
        (
            OWN + '[«certificates]\nttl = "1h"',
            "unused-certificates",
            "no client has certificate = true",
        ),
        (
            OWN.replace("-agent", "-{{ «.Vars.site }}"),
            "unknown-variable",
            "no parameter gives .Vars.site",
        ),
        (
            OWN.replace("-agent", "-{{ «.Vars.siet }}") + "[parameters.site]\nrequired = true\n"
            "[bootstrap.render_context]\na = '{{ .Vars.site }}'",
            "unknown-variable",
            'no parameter gives .Vars.siet; did you mean ".Vars.site"?',
        ),
        (
            OWN.replace("-agent", "-{{ «.Vars.site }}") + "[parameters.site]\n",
            "unset-variable",
            '.Vars.site fails when a request does not give parameter "site"',
        ),
        (
            OWN + "[parameters.«site]\n",
            "unused-parameter",
            'parameter "site" is used nowhere',
        ),
        (
            OWN + PROFILE.replace("«{}", "{{ «.Vars.nmae }}"),
            "unknown-variable",
            'nothing gives .Vars.nmae; did you mean ".Vars.name"?',
        ),
        (
            OWN + "[parameters.site]\n" + PROFILE.replace("«{}", "{{ «.Vars.site }}"),
            "unset-variable",
            '.Vars.site fails when a request does not give parameter "site"',
        ),
        (
            OWN + PROFILE.replace("«{}", "{{ «.Bindings.mqtt.ID }}"),
            "unknown-slot",
            'the profile has no slot "mqtt"',
        ),
        (
            OWN + PROFILE.replace("«{}", "{{ «.Device.Key }}"),
            "unknown-variable",
            "there is no .Device.Key; allowed: .Device.ID, .Device.ExternalID, .Device.DomainID",
        ),
        (
            OWN + PROFILE.replace("«{}", "{{ «.ExternalID }}"),
            "unknown-variable",
            "there is no .ExternalID; allowed: .Device, .Vars, .Bindings",
        ),
        (
            GO.replace('name = "client"', 'name = «"{{ .ExternalID }}"'),
            "literal-template",
            "this dialect expands no templates",
        ),
        (
            GO.replace("clients", "things").replace('"xxxxxx"', '«"{{ .ExternalID }}"'),
            "literal-template",
            "this dialect expands no templates",
        ),
        (
            GO.replace('type = "data"', 'type = "data"\nsite = «"{{- .Name }}"'),
            "literal-template",
            "this dialect expands no templates",
        ),
        (
            OWN.replace('type = "data"', 'type = "data", a = ["{{ «.Vars.site }}"]'),
            "unknown-variable",
            "no parameter gives .Vars.site",
        ),
        (
            OWN.replace('key = "data"', 'key = "data"\nroute = "{{ «.Vars.site }}"'),
            "unknown-variable",
            "no parameter gives .Vars.site",
        ),
        (
            OWN.replace("bootstrap = true", 'bootstrap = true\nidentity = "{{ «.Vars.site }}"'),
            "unknown-variable",
            "no parameter gives .Vars.site",
        ),
        (
            OWN + '[bootstrap.render_context]\na = { b = "{{ «.Vars.site }}" }\n',
            "unknown-variable",
            "no parameter gives .Vars.site",
        ),
        (
            GO.replace("autowhite_list = true", 'profile_id = «"x"'),
            "profile-id",
            'bootstrap.profile_id "x" is not a UUID',
        ),
        (
            GO + "«[[bootstrap.bindings]]\nslot = 'a'\ntype = 'client'\n",
            "no-profile",
            "bindings have no effect without bootstrap.profile_id",
        ),
        (
            "«[bootstrap]\nprovision = false\n[[clients]]\nname = 'a'\n",
            "no-channels",
            "no channels: every request will be refused",
        ),
        (
            "«[bootstrap]\nprovision = false\n[[channels]]\nname = 'a'\n",
            "no-clients",
            "no clients: every request will be refused",
        ),
        (
            OWN.replace("[[clients]]", "[certificates]\nttl = «'87601h'\n[[clients]]").replace(
                "bootstrap = true", "bootstrap = true\ncertificate = true"
            ),
            "outlives-issuer",
            "the service's own authority lives 10 years",
        ),
        (
            OWN
            + '«[[clients]]\nname = "export"\ncertificate = true\n'
            + '[[connections]]\nclients = ["agent", "export"]\nchannels = ["data", "control"]\n'
            + '[profile]\nname = "p"\ncontent_template = "{}"\n'
            + 'binding_slots = [{ name = "slot", type = "client" }]\n'
            + '[[bindings]]\nslot = "slot"\nclient = "export"\n',
            "undelivered-certificate",
            'client "export" gets a certificate that no binding delivers',
        ),
    ],
)
def test_each_warning_stands_where_it_belongs(text: str, rule: str, message: str) -> None:
    warning = only_warning(text)
    assert warning.rule == rule
    assert message in warning.message


@pytest.mark.parametrize(
    "text",
    [
        BARE.replace("[[clients]]", "«[[clients]]"),
        BARE.replace("[bootstrap]", '[bootstrap]\n  «content = ""'),
        BARE.replace("[bootstrap]\n  autowhite_list = true\n", "").replace(
            "[[clients]]", "«[[clients]]"
        ),
    ],
)
def test_a_gateway_that_is_given_null_is_told_of(text: str) -> None:
    warning = only_warning(text)
    assert warning.rule == "no-content"
    assert "null" in warning.message
    off = text.replace("«", "").replace("[bootstrap]", "[bootstrap]\n  provision = false")
    if off != text.replace("«", ""):
        assert warnings_of(off) == []


@pytest.mark.parametrize("sample", [GO, OWN])
@pytest.mark.parametrize("kind", ["data", "control"])
def test_a_second_channel_of_a_kind_is_told_of(sample: str, kind: str) -> None:
    second = f'«[[channels]]\nname = "second"\n[channels.metadata]\ntype = "{kind}"\n'
    warning = only_warning(sample + second)
    assert warning.rule == "two-channels"
    assert f'the gateway\'s metadata name the last channel with type = "{kind}"' in warning.message
    other = second.replace("«", "").replace(f'"{kind}"', '"events"')
    assert warnings_of(sample + other) == []


@pytest.mark.parametrize(
    "template",
    [
        '{{ index .Vars \\"unset\\" }}',
        "{{ .Vars.given }}{{ .Vars.region }}{{ .Vars.qos }}{{ .Vars.name }}{{ .Vars.external_id }}",
        "{{ with .Bindings.slot }}{{ .Nothing }}{{ end }}{{ .Device.DomainID }}",
        "{{ range $key, $value := .Vars }}{{ $value }}{{ end }}",
    ],
)
def test_variables_that_something_gives_are_no_warning(template: str) -> None:
    text = OWN.replace("-agent", "{{ .Vars.given }}")
    text += "[parameters.given]\nrequired = true\n[bootstrap]\nrender_context.region = 'eu'\n"
    text += PROFILE.replace("«{}", template)
    text += "defaults.qos = 1\nbinding_slots = [{ name = 'slot', type = 'client' }]\n"
    assert warnings_of(text) == []


@pytest.mark.parametrize(
    "text",
    [
        OWN.replace('type = "control"', 'type = "{{ .Vars.kind }}"')
        + "[parameters.kind]\nrequired = true\n",
        OWN.replace("[[clients]]", "[certificates]\nttl = '87600h'\n[[clients]]").replace(
            "bootstrap = true", "bootstrap = true\ncertificate = true"
        ),
        GO.replace("autowhite_list = true", "profile_id = '5a7c22bd-6c8f-4b0c-bd57-2b2ad17fa2a5'")
        + "[[bootstrap.bindings]]\nslot = 'a'\ntype = 'client'\n",
        OWN.replace('"{{ .ExternalID }}-agent"', "'{{ .ExternalID }}{{ index .Vars \"site\" }}'")
        + "[parameters.site]\n",
        BARE.replace("autowhite_list = true", 'content = { hint = "{{ .Name }}" }'),
    ],
    ids=[
        "a kind that is not known yet",
        "as long as the issuer",
        "bindings with a profile",
        "a parameter that need not be given",
        "content of a template's kind",
    ],
)
def test_what_may_well_be_meant_is_no_warning(text: str) -> None:
    assert warnings_of(text) == []


def test_a_warning_about_a_template_file_names_its_line() -> None:
    text = OWN + '[profile]\nname = "p"\ncontent_template_file = «"a.tmpl"\n'
    warning = only_warning(text, lambda name: "{\n {{ .Vars.x }}\n}")
    assert warning.message == "line 2 of the template: nothing gives .Vars.x"


def test_a_warning_says_that_it_is_one() -> None:
    warning = Problem("f.toml", 1, 2, "rule", "odd", severity="warning")
    assert str(warning) == "f.toml:1:2: warning: odd"
