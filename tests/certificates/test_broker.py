"""A real mosquitto with the service's chain, CRL and ACL file, and devices that connect to it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from tests.certificates.mqtt import (
    GRANTED,
    NO_SUBSCRIBERS,
    NOT_AUTHORIZED,
    Mosquitto,
    MqttClient,
    free_port,
    mosquitto,
)
from tests.cli.prompt import provision
from tests.cli.served import ROOT, Served, serving

TURNED_AWAY = (ssl.SSLError, ConnectionError)
pytestmark = pytest.mark.slow


@frozen
class Gateway:
    """A gateway's device, as it may show itself to a broker."""

    client: str
    channels: dict[str, str]
    domain: str
    directory: Path

    def topic(self, channel: str, rest: str = "") -> str:
        return f"m/{self.domain}/c/{self.channels[channel]}{rest}"


@frozen
class Field:
    """A service, a broker with its files, and what gateways there are."""

    served: Served
    broker: Mosquitto

    def write(self) -> None:
        ended = self.served.run(*arguments(self.broker.directory, self.broker.port))
        assert ended.code == 0, ended.err


def arguments(directory: Path, port: int) -> tuple[str, ...]:
    return ("broker", "mosquitto", "--out", str(directory), "--port", str(port))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path / "data", ROOT / "layouts") as service:
        yield service


@pytest.fixture
def field(served: Served, tmp_path: Path) -> Iterator[Field]:
    directory, port = tmp_path / "broker", free_port()
    made = provision(
        *("cert", "server", "localhost", "--out", str(directory), "--data", str(served.data))
    )
    assert made.code == 0, made.err
    ended = served.run(*arguments(directory, port))
    assert ended.code == 0, ended.err
    with mosquitto(directory, port) as broker:
        yield Field(served, broker)


def gateway(served: Served, external_id: str, directory: Path) -> Gateway:
    """Onboard a gateway with the layout of certificates, and store what its device gets."""
    made: Any = served.map(external_id, "--layout", "gateway-export")
    agent = next(each for each in made["clients"] if each["name"] == f"{external_id}-agent")
    directory.mkdir()
    (directory / "cert.pem").write_text(made["client_cert"][agent["id"]])
    (directory / "key.pem").write_text(made["client_key"][agent["id"]])
    (directory / "ca.pem").write_text(made["ca_cert"])
    start = f"{external_id}-"
    channels = {each["name"].removeprefix(start): each["id"] for each in made["channels"]}
    return Gateway(agent["id"], channels, served.domain, directory)


def test_a_device_may_use_its_channels_and_no_others(field: Field, tmp_path: Path) -> None:
    one = gateway(field.served, "gw-1", tmp_path / "one")
    other = gateway(field.served, "gw-2", tmp_path / "two")
    with MqttClient.connect(field.broker.port, one.directory) as device:
        assert device.publish(one.topic("data"), b"early") == NOT_AUTHORIZED
        field.write()
        field.broker.reload()
        assert device.publish(one.topic("data"), b"in time") in (0, NO_SUBSCRIBERS)

    with MqttClient.connect(field.broker.port, one.directory) as device:
        assert device.subscribe(one.topic("control", "/req")) == GRANTED
        assert device.publish(one.topic("control", "/req"), b"hello") == 0
        assert device.message() == (one.topic("control", "/req"), b"hello")
        assert device.publish(one.topic("data"), b"21.5") in (0, NO_SUBSCRIBERS)
        # The channel of the gateway's other client, those of others, and no channel at all.
        for topic in (
            one.topic("export"),
            other.topic("data"),
            other.topic("control", "/req"),
            f"m/{one.domain}/c",
            "anything",
            "$SYS/anything",
        ):
            assert device.publish(topic, b"mine") == NOT_AUTHORIZED
    with MqttClient.connect(field.broker.port, other.directory) as neighbour:
        assert neighbour.subscribe(other.topic("data", "/#")) == GRANTED
        with MqttClient.connect(field.broker.port, one.directory) as device:
            device.publish(other.topic("data"), b"not for you")
        neighbour.publish(other.topic("data"), b"own")
        assert neighbour.message() == (other.topic("data"), b"own")


def test_a_device_with_a_revoked_certificate_is_turned_away(field: Field, tmp_path: Path) -> None:
    kept = gateway(field.served, "gw-1", tmp_path / "kept")
    lost = gateway(field.served, "gw-2", tmp_path / "lost")
    field.write()
    field.broker.reload()
    for each in (kept, lost):
        MqttClient.connect(field.broker.port, each.directory).connection.close()

    found = field.served.run("cert", "list", "--gateway", "gw-2", "--json").json["certificates"]
    for each in found:
        assert field.served.run("cert", "revoke", each["serial_number"]).code == 0
    with MqttClient.connect(field.broker.port, lost.directory) as connected:
        field.write()
        field.broker.reload()
        # As the document says: who is connected stays so.
        assert connected.publish(lost.topic("data"), b"still here") in (0, NO_SUBSCRIBERS)
    with pytest.raises(TURNED_AWAY):
        MqttClient.connect(field.broker.port, lost.directory)
    field.broker.logs("certificate verify failed")
    MqttClient.connect(field.broker.port, kept.directory).connection.close()


def test_who_has_no_certificate_or_a_strangers_is_turned_away(field: Field, tmp_path: Path) -> None:
    with serving(tmp_path / "elsewhere", ROOT / "layouts") as elsewhere:
        stranger = gateway(elsewhere, "gw-1", tmp_path / "stranger")
    trusted = (field.broker.directory / "ca.pem").read_text()
    (stranger.directory / "ca.pem").write_text(trusted)
    with pytest.raises(TURNED_AWAY):
        MqttClient.connect(field.broker.port, stranger.directory)


def test_what_the_broker_is_to_know_no_more_is_gone_after_the_next_writing(
    field: Field, tmp_path: Path
) -> None:
    one = gateway(field.served, "gw-1", tmp_path / "one")
    field.write()
    assert one.client in (field.broker.directory / "acl").read_text()
    assert field.served.run("unmap", "gw-1", "--yes").code == 0
    field.write()
    field.broker.reload()
    assert one.client not in (field.broker.directory / "acl").read_text()
    with pytest.raises(TURNED_AWAY):
        MqttClient.connect(field.broker.port, one.directory)
