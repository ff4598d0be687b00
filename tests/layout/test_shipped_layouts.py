"""The layouts that come with the product: they lint clean, expand, and render for the device."""

import json
from pathlib import Path
from typing import Any

import pytest

from bootstrap_core.gotemplate import Template
from provision.layout.catalog import LayoutCatalog
from provision.layout.errors import ParameterError
from provision.layout.expansion import expand
from provision.layout.model import Dialect, InlineProfile, Layout
from provision.layout.plan import Plan, PlannedBinding
from tests.layout.samples import CountedIdentifiers, gateway

SAMPLES = {
    "application_id": "app-7",
    "server_uri": "opc.tcp://press:4840",
    "site": "warehouse-1",
}
DIRECTORY = Path(__file__).parent.parent.parent / "layouts"


@pytest.fixture(scope="module")
def catalog() -> LayoutCatalog:
    catalog = LayoutCatalog(DIRECTORY, default="gateway")
    catalog.reload_changed()
    return catalog


def of_certificate(binding: PlannedBinding) -> bool:
    return binding.type == "certificate"


def rendered(plan: Plan) -> Any:
    """Return the device's configuration, rendered as the bootstrap core is documented to."""
    profile = plan.profile
    assert isinstance(profile, InlineProfile)
    assert plan.config is not None
    secrets = {client.id: {"secret": client.secret.reveal()} for client in plan.clients}
    data = {
        "Device": {
            "ID": plan.config.id,
            "ExternalID": plan.external_id,
            "DomainID": plan.domain_id,
        },
        "Vars": {**profile.defaults, **plan.config.render_context},
        "Bindings": {
            binding.slot: {
                "ID": binding.resource_id,
                "Type": binding.type,
                "Snapshot": {"certificate": "(a certificate)"} if of_certificate(binding) else {},
                "Secret": {"private_key": "(its key)"}
                if of_certificate(binding)
                else secrets.get(binding.resource_id, {}),
            }
            for binding in plan.bindings
        },
    }
    return json.loads(Template.parse(profile.content_template, name=profile.name).render(data))


def test_all_of_them_load_without_a_warning(catalog: LayoutCatalog) -> None:
    assert set(catalog.names) >= {"config", "gateway", "gateway-export", "mainflux"}
    assert [problem for state in catalog.states for problem in state.problems] == []


@pytest.mark.parametrize("path", sorted(DIRECTORY.glob("*.toml")), ids=lambda path: path.stem)
def test_each_expands_with_and_without_a_name(catalog: LayoutCatalog, path: Path) -> None:
    layout = catalog.get(path.stem)
    required = {
        parameter.name: SAMPLES[parameter.name]
        for parameter in layout.parameters
        if parameter.required
    }
    for name in (None, "Hall 5"):
        plan = expand(layout, gateway(name, **required), CountedIdentifiers())
        assert plan.config is not None
        assert plan.pairs


def test_their_dialects(catalog: LayoutCatalog) -> None:
    assert catalog.get("config").dialect is Dialect.MAGISTRALA
    assert catalog.get("mainflux").dialect is Dialect.MAINFLUX


@pytest.mark.parametrize("external_id", ["gw-7", 'a"b\\c', "33:52:79", "<é> & \u2028\n"])
def test_the_device_agent_takes_the_gateways_configuration(
    catalog: LayoutCatalog, external_id: str
) -> None:
    request = gateway("x", external_id, mqtt_url='mqtts://broker:8883/a"b')
    plan = expand(catalog.get("gateway"), request, CountedIdentifiers())
    [agent] = plan.clients
    control, data = plan.channels
    assert rendered(plan) == {
        "device_id": agent.id,
        "external_id": external_id,
        "domain_id": "domain-1",
        "mqtt": {
            "url": 'mqtts://broker:8883/a"b',
            "client_id": agent.id,
            "secret": agent.secret.reveal(),
        },
        "telemetry": {"channel_id": data.id},
        "commands": {"channel_id": control.id},
    }
    assert [certificate.client_id for certificate in plan.certificates] == [agent.id]


def test_export_has_a_client_and_a_channel_of_its_own(catalog: LayoutCatalog) -> None:
    plan = expand(catalog.get("gateway-export"), gateway(), CountedIdentifiers())
    agent, export = plan.clients
    control, data, export_channel = plan.channels
    configuration = rendered(plan)
    assert configuration["mqtt"]["client_id"] == agent.id
    assert configuration["export"]["mqtt"]["username"] == export.id
    assert configuration["export"]["mqtt"]["password"] == export.secret.reveal()
    assert configuration["export"]["mqtt"]["channel"] == export_channel.id
    # As Export reads them; of the types of route it knows "default" and "mfx".
    assert configuration["export"]["routes"] == [
        {
            "nats_topic": "export",
            "mqtt_topic": f"m/{plan.domain_id}/c/{export_channel.id}",
            "subtopic": "",
            "type": "default",
            "workers": 10,
        }
    ]
    pairs = {(pair.client_id, pair.channel_id) for pair in plan.pairs}
    assert pairs == {(agent.id, control.id), (agent.id, data.id), (export.id, export_channel.id)}


def test_the_broker_address_is_checked(catalog: LayoutCatalog) -> None:
    layout: Layout = catalog.get("gateway")
    with pytest.raises(ParameterError, match=r"parameters\.mqtt_url: must match the pattern"):
        expand(layout, gateway(mqtt_url="broker"), CountedIdentifiers())
