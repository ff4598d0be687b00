"""Expansion in the Go service's dialects, held against what the Go service was recorded to do."""

from pathlib import Path

import pytest

from provision.layout.catalog import builtin_layout
from provision.layout.errors import BindingError, EmptyLayoutError, ExpansionError
from provision.layout.expansion import expand, unique_name
from provision.layout.model import Dialect, Layout, Overrides, ProfileReference, with_overrides
from provision.layout.plan import Plan
from provision.layout.reader import read
from tests.layout.samples import GO, CountedIdentifiers, gateway, layout_of

RECORDED = Path(__file__).parent.parent / "data" / "layouts"
PROFILE = "5a7c22bd-6c8f-4b0c-bd57-2b2ad17fa2a5"


def recorded(scenario: str, **overrides: object) -> Layout:
    text = (RECORDED / f"provision-{scenario}.toml").read_text()
    layout = read(text.replace("{{profile_id}}", PROFILE), file=f"{scenario}.toml").layout
    return with_overrides(layout, Overrides(**overrides))  # type: ignore[arg-type]


def onboarded(scenario: str, **overrides: object) -> Plan:
    request = gateway(f"gw-{scenario}", scenario)
    return expand(recorded(scenario, **overrides), request, CountedIdentifiers())


def test_a_gateway_as_recorded() -> None:
    plan = onboarded("gw")
    [client] = plan.clients
    control, data = plan.channels
    assert plan.dialect is Dialect.MAGISTRALA
    assert (client.name, control.name, data.name) == (
        "gw-gw",
        "gw-gw_control-channel",
        "gw-gw_data-channel",
    )
    assert client.metadata == {
        "external_id": "gw",
        "type": "gateway",
        "cfg_id": client.id,
        "ctrl_channel_id": control.id,
        "data_channel_id": data.id,
        "export_channel_id": "",
    }
    assert (control.metadata, data.metadata) == ({"type": "control"}, {"type": "data"})
    assert plan.config is not None
    assert plan.config.id == client.id
    assert plan.config.content == '{"agent":{"log":{"level":"info"},"server":{"port":"9000"}}}'
    assert plan.config.render_context == {"external_id": "gw", "name": "gw-gw"}
    assert (plan.config.name, plan.config.status) == ("gw-gw", "enabled")
    assert plan.certificates == ()
    assert plan.bindings == ()


def test_every_client_takes_the_requests_name() -> None:
    gateway_client, sensor = onboarded("two_clients").clients
    assert gateway_client.name == sensor.name == "gw-two_clients"
    assert (gateway_client.is_gateway, sensor.is_gateway) == (True, False)
    assert sensor.metadata == {"role": "sensor"}


def test_the_export_channel_is_in_the_gateways_metadata() -> None:
    plan = onboarded("export_channel")
    assert plan.clients[0].metadata["export_channel_id"] == plan.channels[2].id


def test_of_two_data_channels_the_last_is_the_data_channel() -> None:
    plan = expand(
        layout_of(GO + '[[channels]]\nname = "export"\nmetadata = { type = "data" }\n'),
        gateway(),
        CountedIdentifiers(),
    )
    assert plan.clients[0].metadata["data_channel_id"] == plan.channels[2].id


@pytest.mark.parametrize("scenario", ["no_external_id", "no_metadata", "bootstrap_off_both"])
def test_layouts_without_a_bootstrap_config(scenario: str) -> None:
    plan = onboarded(scenario)
    assert (plan.config, plan.profile, plan.bindings) == (None, None, ())
    assert (
        plan.clients[0].metadata
        == {
            "no_external_id": {"a": "b"},
            "no_metadata": {},
            "bootstrap_off_both": {"external_id": "bootstrap_off_both"},
        }[scenario]
    )


@pytest.mark.parametrize(
    ("scenario", "message"),
    [
        ("no_clients", "no_clients.toml:1:1: clients: the layout has no clients"),
        ("no_channels", "no_channels.toml:1:1: channels: the layout has no channels"),
    ],
)
def test_an_empty_layout_is_refused_at_the_request(scenario: str, message: str) -> None:
    with pytest.raises(EmptyLayoutError, match=message) as caught:
        onboarded(scenario)
    assert caught.value.status == 400


@pytest.mark.parametrize("scenario", ["profile_bindings", "profile_first_channel"])
def test_bindings_find_their_resources_as_recorded(scenario: str) -> None:
    plan = onboarded(scenario)
    assert plan.profile == ProfileReference(id=PROFILE)
    assert [(binding.slot, binding.type, binding.resource_id) for binding in plan.bindings] == [
        ("mqtt", "client", plan.clients[0].id),
        ("ctrl", "channel", plan.channels[0].id),
        ("data", "channel", plan.channels[1].id),
    ]
    assert plan.config is not None
    assert plan.config.render_context == {
        "external_id": scenario,
        "n": 3,
        "name": f"gw-{scenario}",
        "site": "from-layout",
    }


def test_a_binding_by_the_layouts_name_finds_nothing() -> None:
    with pytest.raises(BindingError) as caught:
        onboarded("profile_layout_name")
    assert caught.value.status == 422
    assert str(caught.value) == (
        'profile_layout_name.toml:11:3: bootstrap.bindings[0]: slot "mqtt": no client with name '
        '"client"; created: "gw-profile_layout_name"'
    )


def test_braces_in_an_old_file_are_no_templates() -> None:
    text = GO.replace('type = "data"', 'type = "data"\nlist = ["{{ .ID }}", { a = "{{", b = 1 }]')
    plan = expand(layout_of(text), gateway(), CountedIdentifiers())
    assert plan.channels[1].metadata["list"] == ["{{ .ID }}", {"a": "{{", "b": 1}]


SECOND = """
[[clients]]
  name = "second"
  metadata = { role = "sensor", level = 3, on = true }
[bootstrap]
  profile_id = "x"
"""


@pytest.mark.parametrize(
    ("selector", "index"),
    [
        ("type = 'client'", 1),
        ("type = 'client'\nmetadata_key = 'role'", 0),
        ("type = 'client'\nmetadata_key = 'role'\nmetadata_value = 'sensor'", 0),
        ("type = 'client'\nmetadata_key = 'level'\nmetadata_value = '3'", 0),
        ("type = 'client'\nmetadata_key = 'on'\nmetadata_value = 'true'", 0),
        ("type = 'client'\nmetadata_key = 'type'\nmetadata_value = 'gateway'", 1),
        ("type = 'client'\nname = 'gw'\nmetadata_key = 'role'", 0),
        ("type = 'client'\nmetadata_key = 'role'\nmetadata_value = 'other'", None),
        ("type = 'client'\nmetadata_key = 'nothing'", None),
        ("type = 'certificate'", None),
    ],
)
def test_a_binding_describes_its_resource_the_gateway_first(
    selector: str, index: int | None
) -> None:
    rest = GO.partition("[[clients]]")[2]
    head = f"[bootstrap]\nprofile_id = 'x'\n[[bootstrap.bindings]]\nslot = 's'\n{selector}\n"
    second = SECOND.partition("[bootstrap]")[0]
    layout = layout_of(head + second + "[[clients]]" + rest)
    if index is None:
        with pytest.raises(BindingError):
            expand(layout, gateway("gw"), CountedIdentifiers())
        return
    plan = expand(layout, gateway("gw"), CountedIdentifiers())
    assert plan.bindings[0].resource_id == plan.clients[index].id


@pytest.mark.parametrize("bootstrap", ["", "profile_id = 'x'\nprovision = false\n"])
def test_bindings_need_a_profile_and_a_config(bootstrap: str) -> None:
    head = f"[bootstrap]\n{bootstrap}[[bootstrap.bindings]]\nslot = 's'\ntype = 'client'\n"
    plan = expand(layout_of(head + GO.partition("true\n")[2]), gateway(), CountedIdentifiers())
    assert plan.bindings == ()


def test_a_request_name_that_is_too_long_is_refused_where_it_is_used() -> None:
    with pytest.raises(
        ExpansionError, match=r"sample\.toml:4:3: clients\[0\]\.name: becomes 1,025"
    ):
        expand(layout_of(GO), gateway("n" * 1025), CountedIdentifiers())


def test_a_layouts_digest_stays_the_same_over_releases() -> None:
    digest = "7954378ea36695978e8503c5f490c958c6e237dd36a1fbf793e868ef724e5558"
    assert builtin_layout().digest == digest


def test_what_has_no_name_is_called_by_what_it_is() -> None:
    layout = layout_of("[[clients]]\n[[clients]]\n[[channels]]\n[[channels]]\nname = 'channel'\n")
    assert [(client.key, client.name) for client in layout.clients] == [
        ("client", ""),
        ("client-2", ""),
    ]
    assert [(channel.key, channel.name) for channel in layout.channels] == [
        ("channel", ""),
        ("channel-2", "channel"),
    ]


def test_a_channels_type_may_be_anything() -> None:
    text = GO.replace('type = "data"', 'type = ["data"]').replace("control-", "x-")
    plan = expand(layout_of(text), gateway(), CountedIdentifiers())
    assert plan.clients[0].metadata["data_channel_id"] == ""
    assert plan.clients[0].metadata["ctrl_channel_id"] == plan.channels[0].id


def test_a_certificate_binding_takes_the_gateways() -> None:
    rest = GO.partition("[[clients]]")[2]
    head = "[bootstrap]\nprofile_id = 'x'\nx509_provision = true\n"
    binding = "[[bootstrap.bindings]]\nslot = 's'\ntype = 'certificate'\n"
    layout = layout_of(head + binding + "[[clients]]\nname = 'a'\n[[clients]]" + rest)
    plan = expand(layout, gateway("gw"), CountedIdentifiers())
    assert plan.bindings[0].resource_id == plan.clients[1].id


def test_certificates_are_for_every_client() -> None:
    plan = onboarded("two_clients", x509_provision=True, ttl_seconds=36000)
    assert [certificate.client_id for certificate in plan.certificates] == [
        client.id for client in plan.clients
    ]
    assert {certificate.ttl_seconds for certificate in plan.certificates} == {36000}
    assert onboarded("x509").certificates


def test_whitelisting_off_makes_a_disabled_config() -> None:
    off = onboarded("whitelist_off_both").config
    assert off is not None
    assert off.status == "disabled"
    on = onboarded("whitelist_off", autowhite_list=True).config
    assert on is not None
    assert on.status == "enabled"


def test_without_a_name_the_layouts_is_used_and_made_unique() -> None:
    request = gateway(external_id="33:52:79")
    plan = expand(recorded("two_clients"), request, CountedIdentifiers())
    assert [client.name for client in plan.clients] == ["client-33:52:79", "sensor-33:52:79"]
    assert [channel.name for channel in plan.channels] == [
        "client-33:52:79_control-channel",
        "client-33:52:79_data-channel",
    ]
    assert plan.name == "client-33:52:79"
    assert plan.config is not None
    assert plan.config.render_context["name"] == "client-33:52:79"


def test_a_channel_name_that_becomes_too_long_is_refused() -> None:
    with pytest.raises(ExpansionError, match=r"channels\[0\]\.name: becomes 1,026 characters"):
        expand(layout_of(GO), gateway("n" * 1010), CountedIdentifiers())
    long = gateway(external_id="x" * 1024)
    assert expand(layout_of(GO), long, CountedIdentifiers()).channels


def test_braces_in_a_legacy_file_are_no_template() -> None:
    text = GO.replace('"control"', '"{{ .Vars.x }}"').replace('"client"', '"{{.ExternalID}}"')
    plan = expand(layout_of(text), gateway(), CountedIdentifiers())
    assert plan.channels[0].metadata == {"type": "{{ .Vars.x }}"}
    assert plan.clients[0].name == "{{.ExternalID}}-gw-7"


def test_things_are_planned_like_clients() -> None:
    plan = expand(layout_of(GO.replace("clients", "things")), gateway("gw"), CountedIdentifiers())
    assert plan.dialect is Dialect.MAINFLUX
    assert [channel.name for channel in plan.channels] == ["gw_control-channel", "gw_data-channel"]


def test_the_built_in_layout_is_the_go_services() -> None:
    plan = expand(builtin_layout(), gateway("gw-nf", "nf"), CountedIdentifiers())
    assert [client.name for client in plan.clients] == ["gw-nf"]
    assert [(channel.name, channel.metadata) for channel in plan.channels] == [
        ("gw-nf_control-channel", {"type": "control"}),
        ("gw-nf_data-channel", {"type": "data"}),
    ]
    assert plan.config is not None
    assert (plan.config.content, plan.config.status) == ("null", "enabled")


@pytest.mark.parametrize(
    ("name", "external_id", "unique"),
    [
        ("client", "gw", "client-gw"),
        ("", "gw", "gw"),
        ("n" * 100, "x" * 155, f"{'n' * 100}-{'x' * 155}"),
    ],
)
def test_a_name_is_made_unique_with_the_external_id(
    name: str, external_id: str, unique: str
) -> None:
    assert unique_name(name, external_id) == unique


@pytest.mark.parametrize("last", ["a", "b", "\ud800"])
def test_a_name_that_becomes_long_ends_in_a_digest(last: str) -> None:
    made = {unique_name("n" * 100, "x" * 155 + end) for end in ("", "c", last)}
    assert len(made) == 3
    assert {len(name) for name in made} == {256}
