"""Variables and keys of earlier releases: read, told of, or a reason not to start."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from typer.testing import CliRunner

from bootstrap_core.secrets import Secret
from provision.cli.main import app
from provision.errors import SettingsError
from provision.settings_reader import load
from tests.service.running import embedded

BRANDS = ("MG", "SMQ", "MF")
READ = {
    "PROVISION_CONFIG_FILE": ("config_file", "given.toml"),
    "PROVISION_HTTP_PORT": ("http_port", 9901),
    "PROVISION_PORT": ("http_port", 9901),
    "PROVISION_LOG_LEVEL": ("log_level", "error"),
    "PROVISION_ENV_CLIENTS_TLS": ("verify_tls", False),
    "PROVISION_CA_CERTS": ("ca_file", "ca.pem"),
    "PROVISION_CLIENTS_URL": ("clients_url", "http://c"),
    "PROVISION_CLIENTS_LOCATION": ("clients_url", "http://c"),
    "PROVISION_THINGS_LOCATION": ("clients_url", "http://c"),
    "CLIENTS_URL": ("clients_url", "http://c"),
    "THINGS_URL": ("clients_url", "http://c"),
    "CHANNELS_URL": ("channels_url", "http://c"),
    "PROVISION_CHANNELS_URL": ("channels_url", "http://c"),
    "PROVISION_USERS_URL": ("users_url", "http://u"),
    "PROVISION_USERS_LOCATION": ("users_url", "http://u"),
    "PROVISION_CERTS_URL": ("certs_url", "http://p"),
    "PROVISION_CERTS_SVC_URL": ("certs_url", "http://p"),
    "PROVISION_CERTS_LOCATION": ("certs_url", "http://p"),
    "PROVISION_BS_SVC_URL": ("bootstrap_url", "http://b"),
    "PROVISION_BS_SVC_WHITELIST_URL": ("bootstrap_url", "http://b"),
    "PROVISION_EMAIL": ("email", "op@example.com"),
    "PROVISION_USERNAME": ("username", "op"),
    "PROVISION_USER": ("username", "op"),
    "PROVISION_PASS": ("password", Secret("hidden-word")),
    "PROVISION_PASSWORD": ("password", Secret("hidden-word")),
    "PROVISION_API_KEY": ("api_key", Secret("hidden-word")),
    "PROVISION_DOMAIN_ID": ("domain_id", "d"),
    "PROVISION_X509_PROVISIONING": ("x509_provision", True),
    "PROVISION_BS_CONFIG_PROVISIONING": ("bootstrap_provision", False),
    "PROVISION_BS_AUTO_WHITELIST": ("auto_whitelist", False),
    "PROVISION_BS_PROFILE_ID": ("profile_id", "p"),
    "PROVISION_BS_CONTENT": ("bootstrap_content", "{}"),
    "PROVISION_CERTS_HOURS_VALID": ("certificate_ttl", "1h"),
    "PROVISION_CERTS_RSA_BITS": ("certificate_bits", "4096"),
    "BOOTSTRAP_ENCRYPT_KEY": ("encrypt_key", Secret("k" * 32)),
}
COMPANIONS = {
    "certs_url": {"MG_PROVISION_DOMAINS_URL": "http://d"},
    "username": {"MG_PROVISION_PASS": "hidden-word"},
    "email": {"MG_PROVISION_PASS": "hidden-word"},
    "password": {"MG_PROVISION_USERNAME": "op"},
}
"""What goes together with a setting."""
NOT_USED = (
    "PROVISION_INSTANCE_ID", "PROVISION_MQTT_URL", "PROVISION_CERTS_CA", "PROVISION_CERTS_CA_KEY",
    "BOOTSTRAP_LOG_LEVEL", "BOOTSTRAP_DB", "BOOTSTRAP_DB_HOST", "BOOTSTRAP_DB_PORT",
    "BOOTSTRAP_DB_USER", "BOOTSTRAP_DB_PASS", "BOOTSTRAP_DB_NAME", "BOOTSTRAP_DB_SSL_MODE",
    "BOOTSTRAP_DB_SSL_CERT", "BOOTSTRAP_DB_SSL_KEY", "BOOTSTRAP_DB_SSL_ROOT_CERT",
    "BOOTSTRAP_ES_URL", "BOOTSTRAP_ES_PASS", "BOOTSTRAP_ES_DB", "BOOTSTRAP_EVENT_CONSUMER",
    "BOOTSTRAP_HTTP_HOST", "BOOTSTRAP_HTTP_PORT", "BOOTSTRAP_HTTP_SERVER_CERT",
    "BOOTSTRAP_HTTP_SERVER_KEY", "BOOTSTRAP_PORT", "BOOTSTRAP_SERVER_CERT",
    "BOOTSTRAP_SERVER_KEY", "BOOTSTRAP_CLIENT_TLS", "BOOTSTRAP_CA_CERTS",
    "BOOTSTRAP_INSTANCE_ID", "BOOTSTRAP_INSTANCE_NAME", "BOOTSTRAP_THINGS_TIMEOUT",
    "BOOTSTRAP_USERS_TIMEOUT",
)  # fmt: skip


FILE_OF_MAINFLUX = """
[server]
  mf_user = ""
  mf_whit_list = ""
[bootstrap]
  x509_provision = true
[certs]
  days_valid = "2400h"
  key_bits = 4096
[[things]]
  name = "thing"
  [things.metadata]
    external_id = "x"
[[channels]]
  name = "control-channel"
  [channels.metadata]
    type = "control"
"""


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("given.toml").touch()


@pytest.mark.parametrize("brand", BRANDS)
@pytest.mark.parametrize("name", READ)
def test_every_release_s_variable_is_read(brand: str, name: str) -> None:
    setting, value = READ[name]
    text = value.reveal() if isinstance(value, Secret) else str(value)
    loaded = load(COMPANIONS.get(setting, {}) | {f"{brand}_{name}": text}, {})
    assert getattr(loaded.settings, setting) == value
    assert loaded.origins[setting] == f"environment variable {brand}_{name}"


@pytest.mark.parametrize("brand", BRANDS)
@pytest.mark.parametrize("name", NOT_USED)
def test_what_is_not_used_is_told_with_what_to_do(brand: str, name: str) -> None:
    (warning,) = load({f"{brand}_{name}": "hidden-word"}, {}).warnings
    assert f"{brand}_{name}: not used; " in warning
    assert "hidden-word" not in warning


def test_what_is_not_used_for_one_reason_is_told_in_one_line() -> None:
    names = [f"MF_BOOTSTRAP_DB_{part}" for part in ("HOST", "NAME", "USER")]
    (warning,) = load(dict.fromkeys(names, "x"), {}).warnings
    assert all(name in warning for name in names)


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("SMQ_PROVISION_THINGS_LOCATOIN_URL", "SMQ_PROVISION_THINGS_LOCATION"),
        ("MG_PROVISION_CLEINTS_LOCATION", "MG_PROVISION_CLIENTS_LOCATION"),
        ("MG_PROVISION_DEVICES_URL", "MG_PROVISION_CLIENTS_URL"),
        ("MF_BOOTSTRAP_THINGS_URL", "MG_PROVISION_CLIENTS_URL"),
    ],
)
def test_an_address_that_can_not_be_used_stops_the_start(variable: str, hint: str) -> None:
    done = CliRunner().invoke(app, ["serve", "--port", "0"], env={variable: "http://t:9006"})
    assert isinstance(done.exception, SettingsError)
    assert variable in done.exception.message
    assert hint in done.exception.message
    assert not Path("data").exists()


def test_an_address_in_the_file_that_can_not_be_used_stops_the_start() -> None:
    Path("config.toml").write_text('[server]\nthigns_url = "http://t:9006"\n')
    with pytest.raises(SettingsError, match=re.escape("config.toml: server.thigns_url")) as caught:
        load({}, {})
    assert "did you mean server.things_url?" in caught.value.message


def test_an_empty_variable_names_no_address() -> None:
    assert not load({"MG_PROVISION_DEVICES_URL": ""}, {}).warnings


@pytest.mark.parametrize("variable", ["MG_PROVISION_CERTS_URL", "SMQ_PROVISION_CERTS_SVC_URL"])
def test_a_certs_service_without_the_rest_of_the_platform_stops_the_start(variable: str) -> None:
    with pytest.raises(SettingsError, match="MG_PROVISION_USERS_URL") as caught:
        load({variable: "http://certs:9019"}, {})
    assert variable in caught.value.message


def test_mainflux_s_one_address_of_a_platform_stops_the_start_where_no_other_is_given() -> None:
    given = {"MF_SDK_BASE_URL": "http://localhost"}
    with pytest.raises(SettingsError, match=r"MF_SDK_BASE_URL .* MG_PROVISION_CLIENTS_URL"):
        load(given, {})
    assert not load(given | {"MG_PROVISION_CLIENTS_URL": "http://c:9006"}, {}).warnings


def test_a_number_of_bits_that_no_key_has_is_told() -> None:
    (warning,) = load({"MF_PROVISION_CERTS_RSA_BITS": "1024"}, {}).warnings
    assert "MF_PROVISION_CERTS_RSA_BITS: rsa of 1024 bits is not made here" in warning


def test_an_unknown_key_of_the_file_is_told_with_the_nearest() -> None:
    Path("config.toml").write_text('[server]\nhtpp_port = "1"\n')
    (warning,) = load({}, {}).warnings
    assert warning == "config.toml: server.htpp_port is not known; did you mean server.http_port?"


def test_the_newest_release_s_variable_wins() -> None:
    names = [f"{brand}_PROVISION_USERS_LOCATION" for brand in BRANDS]
    for number, name in enumerate(names):
        set_now = {later: f"http://{later}" for later in names[number:]}
        assert load(set_now, {}).origins["users_url"] == f"environment variable {name}"


def test_settings_are_shown_with_the_variable_that_gave_them() -> None:
    shown = CliRunner().invoke(
        app, ["settings", "--json"], env={"SMQ_PROVISION_CLIENTS_LOCATION": "http://c:9006"}
    )
    rows = {row["setting"]: row for row in json.loads(shown.stdout)["settings"]}
    given = rows["MG_PROVISION_CLIENTS_URL"]
    assert given["value"] == "http://c:9006"
    assert given["from"] == "environment variable SMQ_PROVISION_CLIENTS_LOCATION"


async def test_the_bits_of_the_environment_are_those_of_the_keys(tmp_path: Path) -> None:
    Path("config.toml").write_text(FILE_OF_MAINFLUX)
    bits = {"MF_PROVISION_CERTS_RSA_BITS": "2048", "MG_PROVISION_CONFIG_FILE": "config.toml"}
    async with embedded(tmp_path / "data", **bits) as running:
        made = await running.map()
        assert made.status_code == 201, made.text
        (pem,) = made.json()["client_cert"].values()
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size == 2048
