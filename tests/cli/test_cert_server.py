"""``provision cert server``: what devices verify when they connect to the broker."""

from __future__ import annotations

import json
import stat
import subprocess
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from provision.pki.issuer import Issuer
from provision.pki.keys import make_key
from tests.cli.prompt import Ended, provision
from tests.cli.served import Served
from tests.pki.test_issuer import CA, authority, usage

NAME = "mqtt.example.com"


def server(served: Served, *arguments: str) -> Ended:
    return provision("cert", "server", *arguments, "--data", str(served.data))


def verified(directory: Path, *arguments: str | Path) -> str:
    said = subprocess.run(
        ["openssl", "verify", "-purpose", "sslserver", "-CAfile", directory / "ca.pem", *arguments],
        check=False,
        capture_output=True,
        text=True,
    )
    return said.stdout + said.stderr


def test_devices_verify_the_broker_with_the_chain_that_they_have(
    served: Served, tmp_path: Path
) -> None:
    more = ("--dns", "BROKER.local.", "--ip", "192.0.2.7", "--ip", "2001:db8::1")
    ended = server(served, NAME, *more, "--out", str(tmp_path / "broker"))
    assert ended.code == 0, ended.err
    assert f"for {NAME}, broker.local, 192.0.2.7, 2001:db8::1" in ended.err
    files = {each.name: each for each in (tmp_path / "broker").iterdir()}
    assert set(files) == {"cert.pem", "key.pem", "ca.pem"}
    assert all(stat.S_IMODE(each.stat().st_mode) == 0o600 for each in files.values())

    made = served.map("gw-server")
    (tmp_path / "ca.pem").write_text(made["ca_cert"])
    certificate = files["cert.pem"]
    for name in (("-verify_hostname", NAME), ("-verify_ip", "192.0.2.7")):
        assert verified(tmp_path, "-x509_strict", *name, certificate).endswith("OK\n")
    assert "mismatch" in verified(tmp_path, "-verify_hostname", "other.example.com", certificate)

    first, second = x509.load_pem_x509_certificates(certificate.read_bytes())
    assert first.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == NAME
    assert first.issuer == second.subject
    names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAME, "broker.local"]
    addresses = [ip_address("192.0.2.7"), ip_address("2001:db8::1")]
    assert names.get_values_for_type(x509.IPAddress) == addresses
    purposes = first.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_an_earlier_certificate_of_the_broker_is_revoked_on_request(
    served: Served, tmp_path: Path
) -> None:
    earlier = server(served, "192.0.2.9", "--json").json
    assert earlier["names"] == ["192.0.2.9"]
    server(served, "other.example.com")
    ended = server(served, "192.0.2.9", "--revoke-earlier", "--json", "--key-type", "rsa-2048")
    assert ended.json["revoked"] == 1
    assert "1 earlier ones are revoked" in ended.err

    (tmp_path / "ca.pem").write_text(earlier["ca_cert"])
    (tmp_path / "crl.pem").write_text(httpx.get(f"{served.url}/certs/crl.pem").text)
    checked = ("-crl_check_all", "-CRLfile", tmp_path / "crl.pem")
    for document, words in ((earlier, "certificate revoked"), (ended.json, "OK")):
        (tmp_path / "cert.pem").write_text(document["certificate"])
        assert words in verified(tmp_path, *checked, tmp_path / "cert.pem")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mqtts://mqtt.example.com:8883",), "write it without scheme, port and brackets"),
        (("300.0.2.1",), "is neither a DNS name"),
        (("brücke.example.com",), "with xn--"),
        ((NAME, "--ip", "broker"), "--ip: 'broker' is no IP address"),
        ((NAME, "--ttl", "soon"), "--ttl: "),
        ((NAME, "--key-type", "dsa"), "--key-type: there is no key type 'dsa'"),
        ((NAME, "--out", "/proc/broker"), "/proc/broker cannot be made"),
    ],
)
def test_what_no_server_certificate_can_say_is_refused(
    served: Served, arguments: tuple[str, ...], words: str
) -> None:
    ended = server(served, *arguments)
    assert (ended.code, ended.out) == (1, "")
    assert words in ended.err


def test_a_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    ended = provision("cert", "server", NAME, "--data", str(tmp_path / "absent"))
    assert ended.code == 1
    assert "there is no data directory" in ended.err
    assert not (tmp_path / "absent").exists()


def test_an_authority_for_clients_alone_issues_no_server_certificate(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key()
    clients = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    own = Issuer(key, [authority(key, extensions=(CA, usage(), clients))])
    (tmp_path / "chain.pem").write_text(own.chain_pem())
    (tmp_path / "key.pem").write_text(key.pem())
    monkeypatch.setenv("MG_PROVISION_ISSUER_CHAIN", str(tmp_path / "chain.pem"))
    monkeypatch.setenv("MG_PROVISION_ISSUER_KEY", str(tmp_path / "key.pem"))
    ended = server(served, NAME)
    assert ended.code == 1
    assert "a trial server certificate of this authority does not verify" in ended.err
    assert ended.out == ""


def test_names_in_a_clients_certificate_are_refused(served: Served) -> None:
    made = served.map("gw-names")
    url = f"{served.url}/{served.domain}/certs/issue/{made['clients'][0]['id']}"
    headers = {"Authorization": f"Bearer {served.token}"}
    options = {"common_name": "gw", "dns_names": None}
    as_sdk = {"ttl": "24h", "ip_addresses": None, "options": options}
    assert httpx.post(url, json=as_sdk, headers=headers).status_code == 201
    for body in (
        {**as_sdk, "ip_addresses": ["192.0.2.7"]},
        {**as_sdk, "options": {**options, "dns_names": [NAME]}},
    ):
        refused = httpx.post(url, content=json.dumps(body), headers=headers)
        assert refused.status_code == 400
        assert "a client's certificate names its client alone" in refused.json()["message"]
