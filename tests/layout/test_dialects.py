"""Three dialects, one model: how each file is told apart and what it becomes."""

from pathlib import Path

import pytest

from provision.layout.errors import LayoutError
from provision.layout.model import (
    Binding,
    BindingSlot,
    Certificates,
    Connection,
    Dialect,
    InlineProfile,
    Layout,
    Overrides,
    Parameter,
    ProfileReference,
    with_overrides,
)
from provision.layout.reader import dialect_of, read
from provision.layout.source import parse_source
from tests.layout.samples import EVERYTHING, GO, OWN, layout_of, only_problem

RECORDED = Path(__file__).parent.parent / "data" / "layouts"


def test_all_of_this_projects_dialect_reaches_the_model() -> None:
    layout = layout_of(EVERYTHING)
    assert (layout.name, layout.description) == ("sample", "Everything")
    assert layout.dialect is Dialect.PROVISION
    assert layout.parameters == (
        Parameter(
            "site", "string", required=True, pattern="^[a-z]+$", description="Where it stands"
        ),
        Parameter("port", "integer", default=1883, enum=(1883, 8883)),
    )
    agent, sensor = layout.clients
    assert (agent.key, agent.identity, agent.tags) == (
        "agent",
        "{{ .ExternalID }}",
        ("a", "{{ .Vars.site }}"),
    )
    assert agent.bootstrap
    assert agent.certificate
    assert agent.metadata["nested"] == {"list": [1, 2.5, True, "{{ .Name }}"]}
    assert (sensor.key, sensor.bootstrap, sensor.certificate) == ("sensor.1", False, False)
    assert layout.gateway is agent
    assert layout.channels[0].route == "r-{{ .ExternalID }}"
    assert layout.connections == (
        Connection(("agent",), ("data",), ("publish", "subscribe")),
        Connection(("sensor.1",), ("data",), ("publish",)),
    )
    assert layout.certificates == Certificates(5400, "ed25519", "auto")
    assert layout.bootstrap.status == "disabled"
    assert layout.bootstrap.render_context == {"region": "eu", "at": "2026-01-02T03:04:05Z"}
    assert layout.profile == InlineProfile(
        "p",
        "d",
        "json",
        content_template="{}",
        defaults={"qos": 1},
        binding_slots=(
            BindingSlot("mqtt", "client", required=True, fields=("id", "secret")),
            BindingSlot("tls", "certificate"),
        ),
    )
    assert layout.bindings == (
        Binding("mqtt", "client", "sensor.1"),
        Binding("tls", "certificate", "agent"),
    )


def test_without_connections_every_client_meets_every_channel() -> None:
    assert layout_of(OWN).connections == (Connection(("agent",), ("data", "control")),)
    assert layout_of(GO).connections == (
        Connection(("client",), ("control-channel", "data-channel")),
    )


def test_an_existing_profile_is_referred_to_by_name_or_id() -> None:
    by_name = layout_of(OWN + '[bootstrap]\nprofile = "p"')
    assert by_name.profile == ProfileReference(name="p")
    by_id = layout_of(OWN + '[bootstrap]\nprofile_id = "5a7c22bd-6c8f-4b0c-bd57-2b2ad17fa2a5"')
    assert by_id.profile == ProfileReference(id="5a7c22bd-6c8f-4b0c-bd57-2b2ad17fa2a5")


def test_a_client_may_opt_out_of_being_the_gateway() -> None:
    text = OWN + '[[clients]]\nname = "b"\nbootstrap = false\nmetadata.external_id = "x"\n'
    assert layout_of(text).gateway == layout_of(OWN).gateway


@pytest.mark.parametrize("path", sorted(RECORDED.glob("*.toml")), ids=lambda path: path.stem)
def test_the_recorded_layouts_of_the_go_service_load(path: Path) -> None:
    text = path.read_text().replace("{{profile_id}}", "5a7c22bd-6c8f-4b0c-bd57-2b2ad17fa2a5")
    if path.stem == "provision-two_gateways":
        with pytest.raises(LayoutError, match="a second client with a bootstrap config") as caught:
            read(text, file=path.name)
        assert caught.value.status == 422
        return
    layout = read(text, file=path.name).layout
    assert layout.dialect is Dialect.MAGISTRALA
    content = {"agent": {"log": {"level": "info"}, "server": {"port": "9000"}}}
    assert layout.bootstrap.content == content


def test_the_go_services_switches_have_its_defaults() -> None:
    layout = layout_of("[server]\nport = '1'\n" + GO.replace("  autowhite_list = true\n", ""))
    assert layout.bootstrap.provision
    assert layout.bootstrap.status == "enabled"
    assert not layout.clients[0].certificate
    assert layout.certificates == Certificates(2400 * 3600)
    assert layout.profile is None


def test_the_go_services_switches_are_read() -> None:
    switched = GO.replace("autowhite_list = true", "autowhite_list = false\nx509_provision = true")
    layout = layout_of(switched + "[cert]\nttl = '10h'\n")
    assert layout.bootstrap.status == "disabled"
    assert layout.clients[0].certificate
    assert layout.certificates.ttl_seconds == 36000


def test_mainflux_things_are_clients() -> None:
    layout = layout_of(GO.replace("clients", "things").replace('"client"', '"thing"'))
    assert layout.dialect is Dialect.MAINFLUX
    assert [client.key for client in layout.clients] == ["thing"]
    assert layout.gateway is layout.clients[0]


def test_clients_of_one_name_get_keys_of_their_own() -> None:
    text = GO + '[[clients]]\nname = "client"\n[[clients]]\n[[clients]]\nname = "client"\n'
    assert [client.key for client in layout_of(text).clients] == [
        "client",
        "client-2",
        "client-3",
        "client-4",
    ]


def test_the_settings_of_the_server_may_stand_in_the_file() -> None:
    server = """\
file = "config.toml"
[server]
  port = "9016"
  http_port = 8190
  log_level = "info"
  tls = false
  server_cert = ""
  server_key = ""
  clients_url = "http://localhost"
  channels_url = ""
  users_url = ""
  certs_url = ""
  things_url = ""
  mg_email = ""
  mg_username = ""
  mg_pass = ""
  mg_domain_id = ""
  mg_api_key = ""
  mg_bs_url = ""
  mf_user = ""
  mf_pass = ""
  mf_api_key = ""
  mf_bs_url = ""
  mf_certs_url = ""
  mf_white_list = ""
"""
    assert layout_of(server + GO).clients
    assert layout_of(server + GO.replace("clients", "things")).clients


def test_content_may_be_a_string_of_json_as_in_old_files() -> None:
    head, rest = GO.split("\n", 1)
    assert layout_of(f"{head}\ncontent = '{{\"a\": [1]}}'\n{rest}").bootstrap.content == {"a": [1]}
    assert layout_of(f'{head}\ncontent = ""\n{rest}').bootstrap.content is None
    for wrong in ("{", "NaN", "[" * 50 + "]" * 50, "[" * 100_000):
        problem = only_problem(f"{head}\ncontent = «'{wrong}'\n{rest}")
        assert problem.rule == "bad-content"


def test_legacy_strings_are_literal() -> None:
    client = layout_of(GO.replace('"client"', '"a {{ .b }} c"')).clients[0]
    assert client.name == 'a {{"{{"}} .b }} c'


def test_unknown_keys_of_the_go_services_file_are_refused() -> None:
    problem = only_problem(GO.replace("[clients.metadata]", "[clients.«metdata]"))
    assert problem.suggestion == "metadata"
    problem = only_problem(GO + "[cert]\n«key_bit = 4096")
    assert problem.suggestion == "key_bits"


def warnings_of(text: str) -> list[tuple[str, str]]:
    told = read(text, file="old.toml").warnings
    return [(problem.rule, problem.message) for problem in told if problem.rule != "no-content"]


def test_what_no_release_reads_from_a_file_is_a_warning() -> None:
    """The files that SuperMQ and Magistrala ship have [client.metadata]; Go passes over it."""
    assert [rule for rule, _ in warnings_of(GO.replace("[clients.", "[client."))] == [
        "no-gateway", "unused-key"
    ]  # fmt: skip
    warning = read(GO + "[server]\nclients_ulr = ''", file="old.toml").warnings[-1]
    assert (warning.rule, warning.suggestion) == ("unknown-setting", "clients_url")
    for key in ("tags = ['a']", "ID = 'x'", "Owner = 'x'", "status = 0"):
        text = GO.replace('name = "client"', f'name = "client"\n{key}')
        ((rule, message),) = warnings_of(text + "[server]\n")
        assert rule == "unused-key"
        assert message.startswith(f'"{key.split()[0]}" in [[clients]] has no effect')


@pytest.mark.parametrize("brand", ["mg", "smq", "mf"])
@pytest.mark.parametrize(
    "key", ["email", "username", "user", "pass", "domain_id", "api_key", "bs_url", "certs_url",
            "white_list", "whit_list"],
)  # fmt: skip
def test_every_release_s_settings_may_stand_in_the_file(brand: str, key: str) -> None:
    plain = 'trusted_proxies = []\nmqtt_url = ""\nclients_location = ""\nLogLevel = "info"\n'
    text = f'[server]\n{plain}{brand}_{key} = ""\n{GO}[layouts]\ndirectory = "layouts"\n'
    assert warnings_of(text) == []
    assert warnings_of(text.replace("clients", "things")) == []


@pytest.mark.parametrize(
    ("keys", "expected", "told"),
    [
        ('ttl = ""', "ec-p256", ""),
        ("key_bits = 0\nKeyType = ''", "ec-p256", ""),
        ("key_bits = 4096", "rsa-4096", ""),
        ("key_bits = '2048'", "rsa-2048", ""),
        ("key_bits = 4096\nKeyType = 'rsa'", "rsa-4096", ""),
        ("keyType = 'rsa'", "rsa-2048", ""),
        ("key_bits = 384\nkey_type = 'ec'", "ec-p384", ""),
        ("key_bits = 1024", "rsa-2048", "rsa of 1024 bits is not made here: rsa-2048 …"),
        ("key_bits = 3072", "rsa-4096", "rsa of 3072 bits is not made here: rsa-4096 …"),
        ("key_bits = 'many'", "ec-p256", "'many' is no number of bits: it has no effect"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("table", ["cert", "certs"])
def test_the_keys_that_a_file_of_mainflux_asks_for(
    table: str, keys: str, expected: str, told: str
) -> None:
    text = f"{GO}[{table}]\n{keys}\n"
    assert layout_of(text).certificates.key_type == expected
    told = told.replace("…", "takes its place")
    assert warnings_of(text) == ([("key-bits", f"[{table}]: {told}")] if told else [])


def test_a_lifetime_is_named_days_valid_in_mainflux_0_12() -> None:
    assert layout_of(GO + '[certs]\ndays_valid = "10h"\n').certificates.ttl_seconds == 36_000


def test_names_as_go_writes_a_field_without_a_tag() -> None:
    text = GO.replace("name =", "Name =").replace(".metadata]", ".Metadata]")
    assert layout_of(text) == layout_of(GO)


def test_a_binding_of_the_go_service_needs_a_key_for_its_value() -> None:
    binding = "[[bootstrap.bindings]]\nslot = 'a'\ntype = 'client'\n«metadata_value = 'x'\n"
    assert only_problem(GO + binding).message == "metadata_value needs a metadata_key"


def overridden(layout: Layout, **overrides: object) -> Layout:
    return with_overrides(layout, Overrides(**overrides))  # type: ignore[arg-type]


def test_settings_win_over_the_go_services_file() -> None:
    layout = layout_of(GO)
    assert overridden(layout) == layout
    assert overridden(layout, x509_provision=True).clients[0].certificate
    assert not overridden(layout, bootstrap_provision=False).bootstrap.provision
    assert overridden(layout, autowhite_list=False).bootstrap.status == "disabled"
    assert overridden(layout, profile_id="p").profile == ProfileReference(id="p")
    assert overridden(layout, content={"a": 1}).bootstrap.content == {"a": 1}
    assert overridden(layout, ttl_seconds=60).certificates.ttl_seconds == 60
    assert overridden(layout, key_type="rsa-4096").certificates.key_type == "rsa-4096"


def test_settings_of_the_go_service_leave_other_layouts_alone() -> None:
    layout = layout_of(EVERYTHING)
    assert overridden(layout, x509_provision=False, ttl_seconds=60, profile_id="p") == layout


def test_equal_layouts_have_equal_digests_wherever_they_stand() -> None:
    here = read(OWN, file="a.toml", name="same").layout
    there = read("# moved\n\n" + OWN, file="b.toml", name="same").layout
    assert here == there
    assert here.digest == there.digest
    assert len(here.digest) == 64


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "sample"', 'name = "sample"\ndescription = "other"'),
        ('key = "agent"', 'key = "agnet"'),
        ("bootstrap = true", "bootstrap = true\ncertificate = true"),
        ('type = "data"', 'type = "data", x = 1'),
    ],
)
def test_another_model_has_another_digest(old: str, new: str) -> None:
    assert layout_of(OWN.replace(old, new)).digest != layout_of(OWN).digest


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        ('[[clients]]\nkey = "a"\n', Dialect.PROVISION),
        ('[layout]\n[bootstrap]\nstatus = "enabled"\n[cert]\n', Dialect.PROVISION),
        ("[layout]\n[cert]\n", Dialect.MAGISTRALA),
        ("[[things]]\n", Dialect.MAINFLUX),
        ("[[things]]\n[layout]\n", Dialect.PROVISION),
        ("clients = 1\nbootstrap = 1\n", Dialect.MAGISTRALA),
    ],
)
def test_the_dialect_is_that_of_most_of_the_file(text: str, dialect: Dialect) -> None:
    assert dialect_of(parse_source(text, "f.toml").data) is dialect
