"""Expansion in this project's dialect: names, templates, connections, bindings, the config."""

import json

import pytest

from provision.layout.errors import ExpansionError, ParameterError
from provision.layout.expansion import expand
from provision.layout.model import GatewayRequest, InlineProfile, ProfileReference
from provision.layout.plan import (
    Plan,
    PlannedBinding,
    PlannedCertificate,
    PlannedConnections,
    PlannedPair,
)
from tests.layout.samples import OWN, CountedIdentifiers, gateway, layout_of, marked

EDGE = """\
[parameters.site]
required = true
[parameters.port]
type = "integer"
default = 1883
[[clients]]
key = "agent"
name = "{{ .ExternalID }} in {{ .Vars.site }}"
identity = "{{ .Name }}@{{ .DomainID }}"
bootstrap = true
certificate = true
tags = ["gateway", "{{ .Vars.site }}"]
metadata = { site = "{{ .Vars.site }}", port = 1, list = ["{{ .ExternalID }}", { a = true }] }
[[clients]]
key = "sensor"
name = "sensor"
[[channels]]
key = "control"
name = "control of {{ .Name }}"
metadata = { type = "control" }
[[channels]]
key = "data"
name = "data"
route = "{{ .ExternalID }}/data"
tags = ["{{ .Vars.site }}"]
metadata = { type = "data", unit = "C" }
[[connections]]
clients = ["agent", "sensor"]
channels = ["data"]
types = ["publish"]
[[connections]]
clients = ["agent"]
channels = ["control", "data"]
[certificates]
ttl = "24h"
key_type = "rsa-2048"
renew = "auto"
[bootstrap]
status = "disabled"
render_context = { region = "{{ .Vars.site }}-1", port = 2 }
[profile]
name = "p"
content_format = "json"
content_template = "{}"
binding_slots = [
  { name = "mqtt", type = "client" },
  { name = "out", type = "channel" },
  { name = "tls", type = "certificate" },
]
[[bindings]]
slot = "mqtt"
client = "sensor"
[[bindings]]
slot = "out"
channel = "data"
[[bindings]]
slot = "tls"
certificate = "agent"
"""


def plan_of(text: str, request: GatewayRequest | None = None) -> Plan:
    return expand(layout_of(text), request or gateway(), CountedIdentifiers())


def test_everything_is_expanded_for_the_request() -> None:
    layout = layout_of(EDGE)
    plan = expand(layout, gateway(site="berlin"), CountedIdentifiers())
    agent, sensor = plan.clients
    control, data = plan.channels
    assert (plan.domain_id, plan.external_id, plan.layout) == ("domain-1", "gw-7", "sample")
    assert plan.layout_digest == layout.digest
    assert plan.parameters == {"site": "berlin", "port": 1883}
    assert plan.name == agent.name == "gw-7 in berlin"
    assert (agent.identity, sensor.identity) == ("gw-7@domain-1", None)
    assert agent.tags == ("gateway", "berlin")
    assert agent.metadata == {
        "site": "berlin",
        "port": 1,
        "list": ["gw-7", {"a": True}],
        "external_id": "gw-7",
        "type": "gateway",
        "cfg_id": agent.id,
        "ctrl_channel_id": control.id,
        "data_channel_id": data.id,
        "export_channel_id": "",
    }
    assert sensor.metadata == {}
    assert (control.name, control.route) == ("control of gw-7", None)
    assert data.route == "gw-7/data"
    assert data.tags == ("berlin",)
    assert data.metadata == {"type": "data", "unit": "C"}


def test_ids_and_secrets_come_from_the_source_only() -> None:
    plan = plan_of(EDGE, gateway(site="a"))
    again = plan_of(EDGE, gateway(site="a"))
    assert plan == again
    ids = [client.id for client in plan.clients] + [channel.id for channel in plan.channels]
    assert len(set(ids)) == 4
    assert [client.secret.reveal() for client in plan.clients] == ["secret-5", "secret-6"]


def test_connections_are_full_products_that_do_not_overlap() -> None:
    plan = plan_of(EDGE, gateway(site="a"))
    agent, sensor = (client.id for client in plan.clients)
    control, data = (channel.id for channel in plan.channels)
    assert plan.connections == (
        PlannedConnections((agent,), (control, data), ("publish", "subscribe")),
        PlannedConnections((sensor,), (data,), ("publish",)),
    )
    assert plan.pairs == (
        PlannedPair(agent, control, ("publish", "subscribe")),
        PlannedPair(agent, data, ("publish", "subscribe")),
        PlannedPair(sensor, data, ("publish",)),
    )


def test_a_certificate_is_planned_as_the_layout_asks() -> None:
    plan = plan_of(EDGE, gateway(site="a"))
    agent = plan.clients[0].id
    assert plan.certificates == (PlannedCertificate(agent, 86400, "rsa-2048", "auto"),)


def test_the_config_belongs_to_the_gateway_client() -> None:
    plan = plan_of(EDGE, gateway(site="a"))
    config = plan.config
    assert config is not None
    assert plan.gateway is plan.clients[0]
    assert config.id == plan.clients[0].id
    assert (config.name, config.status, config.content) == ("gw-7 in a", "disabled", "")
    assert config.render_context == {
        "site": "a",
        "region": "a-1",
        "port": 2,
        "external_id": "gw-7",
        "name": "gw-7 in a",
    }
    assert isinstance(plan.profile, InlineProfile)


def test_bindings_name_the_created_resources() -> None:
    plan = plan_of(EDGE, gateway(site="a"))
    assert plan.bindings == (
        PlannedBinding("mqtt", "client", plan.clients[1].id),
        PlannedBinding("out", "channel", plan.channels[1].id),
        PlannedBinding("tls", "certificate", plan.clients[0].id),
    )


def test_the_requests_name_is_the_gateways_and_templates_see_it() -> None:
    plan = plan_of(EDGE, gateway("Hall 5", site="a"))
    assert [client.name for client in plan.clients] == ["Hall 5", "sensor-gw-7"]
    assert [channel.name for channel in plan.channels] == ["control of Hall 5", "data-gw-7"]
    assert plan.name == "Hall 5"
    assert plan.config is not None
    assert plan.config.name == plan.config.render_context["name"] == "Hall 5"
    assert plan.clients[0].identity == "Hall 5@domain-1"


def test_names_that_do_not_mention_the_gateway_are_made_unique() -> None:
    plan = plan_of(EDGE, gateway(site="a", external_id="x" * 900))
    name = plan.clients[1].name
    assert name.startswith("sensor-xxx")
    assert len(name) == 256
    other = plan_of(EDGE, gateway(site="a", external_id="x" * 899))
    assert other.clients[1].name != name


def test_without_a_gateway_there_is_no_config_no_profile_and_no_binding() -> None:
    plan = plan_of(OWN.replace("bootstrap = true", "certificate = true"))
    assert (plan.gateway, plan.config, plan.profile, plan.bindings) == (None, None, None, ())
    assert plan.name == "gw-7-agent"
    assert plan.clients[0].metadata == {}


def test_static_content_and_a_profile_by_name() -> None:
    text = OWN + '[bootstrap]\nprofile = "p"\ncontent = { b = 1, a = "<" }\n'
    plan = plan_of(text)
    assert plan.config is not None
    assert plan.config.content == '{"a":"\\u003c","b":1}'
    assert plan.profile == ProfileReference(name="p")


def test_a_profile_is_a_template_unless_it_says_otherwise() -> None:
    plan = plan_of(OWN + '[profile]\nname = "p"\ncontent_template = "{}"\n')
    assert plan.profile == InlineProfile("p", content_format="go-template", content_template="{}")


def test_a_layout_may_have_no_channels() -> None:
    text = '[layout]\n[[clients]]\nname = "{{ .ExternalID }}"\nkey = "a"\nbootstrap = true\n'
    plan = plan_of(text)
    assert (plan.channels, plan.connections) == ((), ())


def test_parameters_are_validated_first() -> None:
    with pytest.raises(ParameterError, match=r"parameters\.site: is required"):
        plan_of(EDGE)


@pytest.mark.parametrize(
    ("old", "new", "field", "message"),
    [
        (
            "bootstrap = true",
            'bootstrap = true\nmetadata = { b = [{ «c = "{{ .Vars.a }}" }] }',
            "clients[0].metadata.b[0].c",
            'map has no entry for key "a"',
        ),
        (
            'name = "{{ .ExternalID }}-agent"',
            '«name = "{{ .ExternalID }}{{ .ExternalID }}"',
            "clients[0].name",
            "becomes 1,200 characters long; the platform allows 1,024",
        ),
        (
            "bootstrap = true",
            'bootstrap = true\n«identity = "{{ index .Vars 1 }}"',
            "clients[0].identity",
            "template cannot be rendered",
        ),
    ],
)
def test_what_fails_for_a_request_names_file_line_and_field(
    old: str, new: str, field: str, message: str
) -> None:
    plain, (at, column) = marked(OWN.replace(old, new) + "[parameters.a]\n")
    with pytest.raises(ExpansionError) as caught:
        plan_of(plain, gateway(external_id="x" * 600))
    error = caught.value
    assert (error.file, error.line, error.column) == ("layouts/sample.toml", at, column)
    assert error.key == field
    assert message in str(error)
    assert str(error).startswith(f"layouts/sample.toml:{at}:{column}: {field}: ")
    assert (error.status, error.code) == (400, "layout_expansion")


def test_a_request_name_that_is_too_long_is_refused() -> None:
    with pytest.raises(ExpansionError, match=r"clients\[0\]\.name: becomes 1,025 characters long"):
        plan_of(OWN, gateway("n" * 1025))
    assert plan_of(OWN, gateway("n" * 1024)).name == "n" * 1024


def test_the_plan_keeps_secrets_out_of_its_repr() -> None:
    plan = plan_of(EDGE, gateway(site="a"))
    assert "secret-5" not in repr(plan)
    assert json.dumps(plan.clients[0].metadata)
