"""Settings: every documented name works, and each value says where it came from."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bootstrap_core.secrets import Secret
from provision.cli.main import app
from provision.errors import SettingsError
from provision.settings_reader import load
from provision.store.data_directory import DataDirectory

MAGISTRALA = {
    "MG_PROVISION_HTTP_PORT": ("http_port", "9900", 9900),
    "MG_PROVISION_LOG_LEVEL": ("log_level", "debug", "debug"),
    "MG_PROVISION_ENV_CLIENTS_TLS": ("verify_tls", "true", True),
    "MG_PROVISION_CLIENTS_URL": ("clients_url", "http://c:1", "http://c:1"),
    "MG_PROVISION_CHANNELS_URL": ("channels_url", "http://c:2", "http://c:2"),
    "MG_PROVISION_USERS_URL": ("users_url", "http://c:3", "http://c:3"),
    "MG_PROVISION_CERTS_URL": ("certs_url", "http://c:4", "http://c:4"),
    "MG_PROVISION_DOMAIN_ID": ("domain_id", "d", "d"),
    "MG_PROVISION_API_KEY": ("api_key", "pat_1", Secret("pat_1")),
    "MG_PROVISION_BS_SVC_URL": ("bootstrap_url", "http://b:1", "http://b:1"),
    "MG_PROVISION_X509_PROVISIONING": ("x509_provision", "true", True),
    "MG_PROVISION_BS_CONFIG_PROVISIONING": ("bootstrap_provision", "0", False),
    "MG_PROVISION_BS_AUTO_WHITELIST": ("auto_whitelist", "F", False),
    "MG_PROVISION_BS_PROFILE_ID": ("profile_id", "p", "p"),
    "MG_PROVISION_BS_CONTENT": ("bootstrap_content", '{"a":1}', '{"a":1}'),
    "MG_PROVISION_CERTS_HOURS_VALID": ("certificate_ttl", "24h", "24h"),
    "MG_BOOTSTRAP_ENCRYPT_KEY": ("encrypt_key", "k" * 32, Secret("k" * 32)),
    "MF_PROVISION_HTTP_PORT": ("http_port", "9901", 9901),
    "MF_PROVISION_LOG_LEVEL": ("log_level", "error", "error"),
    "MF_PROVISION_ENV_CLIENTS_TLS": ("verify_tls", "false", False),
    "MF_PROVISION_THINGS_LOCATION": ("clients_url", "http://t:1", "http://t:1"),
    "MF_PROVISION_USERS_LOCATION": ("users_url", "http://t:2", "http://t:2"),
    "MF_PROVISION_CERTS_SVC_URL": ("certs_url", "http://t:3", "http://t:3"),
    "MF_PROVISION_API_KEY": ("api_key", "k", Secret("k")),
    "MF_PROVISION_BS_SVC_URL": ("bootstrap_url", "http://t:4", "http://t:4"),
    "MF_PROVISION_BS_SVC_WHITELIST_URL": ("bootstrap_url", "http://t:5", "http://t:5"),
    "MF_PROVISION_X509_PROVISIONING": ("x509_provision", "1", True),
    "MF_PROVISION_BS_CONFIG_PROVISIONING": ("bootstrap_provision", "T", True),
    "MF_PROVISION_BS_AUTO_WHITELIST": ("auto_whitelist", "TRUE", True),
    "MF_PROVISION_BS_CONTENT": ("bootstrap_content", "null", "null"),
    "MF_PROVISION_CERTS_HOURS_VALID": ("certificate_ttl", "1h", "1h"),
}
FILE_KEYS = {
    "server.port": ("http_port", 9800, 9800),
    "server.http_port": ("http_port", "9801", 9801),
    "server.log_level": ("log_level", "warning", "warning"),
    "server.tls": ("verify_tls", False, False),
    "server.clients_url": ("clients_url", "http://f:1", "http://f:1"),
    "server.things_url": ("clients_url", "http://f:2", "http://f:2"),
    "server.channels_url": ("channels_url", "http://f:3", "http://f:3"),
    "server.users_url": ("users_url", "http://f:4", "http://f:4"),
    "server.certs_url": ("certs_url", "http://f:5", "http://f:5"),
    "server.mf_certs_url": ("certs_url", "http://f:6", "http://f:6"),
    "server.mg_domain_id": ("domain_id", "d", "d"),
    "server.mg_api_key": ("api_key", "k", Secret("k")),
    "server.mf_api_key": ("api_key", "k", Secret("k")),
    "server.mg_bs_url": ("bootstrap_url", "http://f:7", "http://f:7"),
    "server.mf_white_list": ("bootstrap_url", "http://f:8", "http://f:8"),
    "server.mf_whit_list": ("bootstrap_url", "http://f:9", "http://f:9"),
    "server.mg_white_list": ("bootstrap_url", "http://f:9", "http://f:9"),
    "server.things_location": ("clients_url", "http://f:9", "http://f:9"),
    "server.users_location": ("users_url", "http://f:9", "http://f:9"),
    "server.mg_certs_url": ("certs_url", "http://f:9", "http://f:9"),
    "server.smq_certs_url": ("certs_url", "http://f:9", "http://f:9"),
    "server.smq_bs_url": ("bootstrap_url", "http://f:9", "http://f:9"),
    "server.smq_domain_id": ("domain_id", "d", "d"),
    "server.smq_api_key": ("api_key", "k", Secret("k")),
    "bootstrap.x509_provision": ("x509_provision", True, True),
    "bootstrap.provision": ("bootstrap_provision", False, False),
    "bootstrap.autowhite_list": ("auto_whitelist", False, False),
    "bootstrap.profile_id": ("profile_id", "p", "p"),
    "cert.ttl": ("certificate_ttl", "48h", "48h"),
}
PLATFORM = {"MG_PROVISION_DOMAINS_URL": "http://platform"}
"""A certs service is of use beside the rest of a platform only."""


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_file(key: str, value: object) -> None:
    section, _, entry = key.partition(".")
    Path("config.toml").write_text(f"[{section}]\n{entry} = {json.dumps(value)}\n")


@pytest.mark.parametrize("variable", MAGISTRALA)
def test_every_variable_of_both_documents_is_read(variable: str) -> None:
    name, text, value = MAGISTRALA[variable]
    loaded = load(PLATFORM | {variable: text}, {})
    assert getattr(loaded.settings, name) == value
    assert loaded.origins[name] == f"environment variable {variable}"


@pytest.mark.parametrize("user", ["MG_PROVISION_USERNAME", "MG_PROVISION_EMAIL"])
@pytest.mark.parametrize("password", ["MG_PROVISION_PASS"])
def test_magistrala_credentials(user: str, password: str) -> None:
    settings = load({user: "u", password: "secret"}, {}).settings
    assert (settings.username or settings.email, settings.password.reveal()) == ("u", "secret")


@pytest.mark.parametrize("password", ["MF_PROVISION_PASS", "MF_PROVISION_PASSWORD"])
def test_mainflux_credentials(password: str) -> None:
    settings = load({"MF_PROVISION_USER": "u", password: "secret"}, {}).settings
    assert (settings.username, settings.password.reveal()) == ("u", "secret")


@pytest.mark.parametrize("key", FILE_KEYS)
def test_every_key_of_the_file_is_read(key: str) -> None:
    name, written, value = FILE_KEYS[key]
    write_file(key, written)
    loaded = load(PLATFORM, {})
    assert getattr(loaded.settings, name) == value
    assert loaded.origins[name] == f"config.toml: {key}"


def test_command_line_wins_over_environment_which_wins_over_file() -> None:
    write_file("server.port", 1)
    variables = {"MG_PROVISION_HTTP_PORT": "2"}
    assert load({}, {}).settings.http_port == 1
    assert load(variables, {}).settings.http_port == 2
    assert load(variables, {"http_port": 3}).settings.http_port == 3


def test_the_newer_name_wins_over_its_alias() -> None:
    both = {"MG_PROVISION_HTTP_PORT": "2", "MF_PROVISION_HTTP_PORT": "3"}
    assert load(both, {}).settings.http_port == 2


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load({"MG_PROVISION_HTTP_PORT": ""}, {}).settings.http_port == 9016


CERTIFICATES = {
    "MG_PROVISION_RENEWAL_OVERLAP": ("cert.renewal_overlap", "renewal_overlap", "90m"),
    "MG_PROVISION_KEEP_PRIVATE_KEYS": ("cert.keep_private_keys", "keep_private_keys", "never"),
    "MG_PROVISION_ISSUER_CHAIN": ("cert.issuer_chain", "issuer_chain", "ca.pem"),
    "MG_PROVISION_ISSUER_KEY": ("cert.issuer_key", "issuer_key", "ca.key"),
    "MG_PROVISION_ISSUER_CRL": ("cert.issuer_crl", "issuer_crl", "above.pem"),
    "MG_PROVISION_ISSUER_KEY_PASSPHRASE": (
        "cert.issuer_key_passphrase",
        "issuer_key_passphrase",
        Secret("open sesame"),
    ),
}


@pytest.mark.parametrize("variable", CERTIFICATES)
def test_certificates_are_set_by_variable_or_file(variable: str) -> None:
    key, name, value = CERTIFICATES[variable]
    text = value.reveal() if isinstance(value, Secret) else value
    pair = {"MG_PROVISION_ISSUER_CHAIN": "ca.pem", "MG_PROVISION_ISSUER_KEY": "ca.key"}
    assert getattr(load(pair | {variable: text}, {}).settings, name) == value
    entries = {"issuer_chain": "ca.pem", "issuer_key": "ca.key", key.removeprefix("cert."): text}
    lines = [f"{entry} = {json.dumps(written)}\n" for entry, written in entries.items()]
    Path("config.toml").write_text("".join(["[cert]\n", *lines]))
    assert getattr(load({}, {}).settings, name) == value


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"MG_PROVISION_RENEWAL_OVERLAP": "-1h"}, 'at least "0s"'),
        ({"MG_PROVISION_RENEWAL_OVERLAP": "soon"}, "not a duration"),
        ({"MG_PROVISION_KEEP_PRIVATE_KEYS": "often"}, "always, until_fetched, never"),
        ({"MG_PROVISION_ISSUER_CHAIN": "ca.pem"}, "issuer_chain and issuer_key go together"),
        ({"MG_PROVISION_ISSUER_CRL": "above.pem"}, "issuer_crl: issuer_chain is not set"),
    ],
)
def test_certificate_settings_that_can_not_be_used(variables: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        load(variables, {})


def test_no_magistrala_address_means_the_embedded_platform() -> None:
    assert not load({}, {}).settings.uses_magistrala
    assert load({"MF_PROVISION_THINGS_LOCATION": "http://t"}, {}).settings.uses_magistrala


def test_an_unknown_variable_is_warned_of_with_the_nearest_name() -> None:
    (warning,) = load({"MG_PROVISION_HTTP_PROT": "1", "MG_OTHER": "x"}, {}).warnings
    assert "MG_PROVISION_HTTP_PROT" in warning
    assert "did you mean MG_PROVISION_HTTP_PORT?" in warning


def test_a_bootstrap_address_is_reported_as_not_used() -> None:
    (warning,) = load({"MG_PROVISION_BS_SVC_URL": "http://b"}, {}).warnings
    assert "not used" in warning


def test_all_mistakes_are_told_at_once_with_their_origin() -> None:
    wrong = {
        "MG_PROVISION_HTTP_PORT": "many",
        "MG_PROVISION_ENV_CLIENTS_TLS": "maybe",
        "MG_PROVISION_PLATFORM_TIMEOUT": "-1",
    }
    with pytest.raises(SettingsError) as caught:
        load(wrong, {})
    for variable, value in wrong.items():
        assert f"environment variable {variable}" in caught.value.message
        assert repr(value) in caught.value.message


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"MG_PROVISION_HTTP_PORT": "65536"}, "0 to 65535"),
        ({"MG_PROVISION_EXTRA_PORTS": "9013,70000"}, "0 to 65535"),
        ({"MG_PROVISION_MAX_CONNECTIONS": "0"}, "at least 1 connection"),
        ({"MG_PROVISION_IDLE_TIME": "0"}, "number of seconds over 0"),
        (
            {"MG_PROVISION_TRUSTED_PROXIES": "10.0.0.1,proxy.example"},
            "'proxy.example' is not an IP",
        ),
        ({"MG_PROVISION_LOG_LEVEL": "loud"}, "debug, info, warning, error"),
        ({"MG_PROVISION_CLIENTS_URL": "localhost:9006"}, "http:// or https://"),
        ({"MG_PROVISION_SERVER_CERT": "a.pem"}, "server_cert and server_key go together"),
        ({"MG_PROVISION_SERVER_KEY": "a.pem"}, "set MG_PROVISION_SERVER_CERT too, or neither"),
        ({"MF_PROVISION_USER": "u"}, "MF_PROVISION_USER: username and password go together"),
        ({"MG_PROVISION_EMAIL": "a@b"}, "MG_PROVISION_EMAIL: email and password go together"),
        ({"MG_PROVISION_PASS": "secret"}, "set MG_PROVISION_USERNAME too, or neither"),
        ({"MG_BOOTSTRAP_ENCRYPT_KEY": "short"}, "16, 24 or 32 bytes"),
        ({"MG_PROVISION_BS_CONTENT": "{"}, "not valid JSON at line 1, column 2: a name in double"),
        ({"MG_PROVISION_CONFIG_FILE": "nowhere.toml"}, "no such file"),
    ],
)
def test_values_that_can_not_be_used_are_refused(variables: dict[str, str], text: str) -> None:
    with pytest.raises(SettingsError, match=text.replace("(", r"\(")):
        load(variables, {})


def test_a_broken_file_is_refused_with_its_place() -> None:
    Path("config.toml").write_text("[server]\nport = = 1\n")
    with pytest.raises(SettingsError, match=r"config.toml: not valid TOML.*line 2"):
        load({}, {})


def test_the_command_shows_values_and_origins_and_masks_secrets() -> None:
    write_file("server.port", 9800)
    environment = {
        "MG_PROVISION_API_KEY": "pat_secret",
        "MG_PROVISION_DATABASE_URL": "postgresql+asyncpg://us:db_secret@store/provision",
        "MG_PROVISION_LOG_LEVEL": "debug",
    }
    shown = CliRunner().invoke(app, ["settings", "--json"], env=environment)
    rows = {row["setting"]: row for row in json.loads(shown.stdout)["settings"]}
    assert rows["MG_PROVISION_HTTP_PORT"]["value"] == 9800
    assert rows["MG_PROVISION_HTTP_PORT"]["from"] == "config.toml: server.port"
    level = rows["MG_PROVISION_LOG_LEVEL"]
    assert level["from"] == "environment variable MG_PROVISION_LOG_LEVEL"
    assert rows["MG_PROVISION_API_KEY"]["value"] == "********"
    table = CliRunner().invoke(app, ["settings"], env=environment)
    for secret in ("pat_secret", "db_secret"):
        assert secret not in shown.output
        assert secret not in table.output
    assert "9800" in table.output


def test_sealing_keys_are_base64_with_commas_between(tmp_path: Path) -> None:
    old, new = (base64.b64encode(bytes([each]) * 32).decode() for each in (0xFB, 0xFF))
    sealed = DataDirectory(tmp_path).sealer(Secret(old)).seal(b"text", "place")
    assert DataDirectory(tmp_path).sealer(Secret(f"{new}, {old}")).open(sealed, "place") == b"text"
    with pytest.raises(SettingsError, match="MG_PROVISION_SEALING_KEYS"):
        DataDirectory(tmp_path).sealer(Secret(f"first:{new}"))


def test_a_secret_of_the_wrong_kind_is_refused_unseen() -> None:
    Path("config.toml").write_text('[server]\nsealing_keys = ["a-key-of-mine"]\n')
    with pytest.raises(
        SettingsError, match=r"server\.sealing_keys: a text is needed, not a list"
    ) as caught:
        load({}, {})
    assert "a-key-of-mine" not in str(caught.value)
