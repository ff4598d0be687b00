"""Conversion of the old dialects: the same gateway, comments kept, what is lost is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve

from provision.layout.convert import convert
from provision.layout.errors import LayoutError
from provision.layout.expansion import expand
from provision.layout.model import Dialect
from provision.layout.plan import Plan
from provision.layout.reader import read
from tests.layout.samples import GO, OWN, CountedIdentifiers, gateway

ROOT = Path(__file__).parents[2]
OLD = [
    *(
        path
        for path in sorted((ROOT / "tests/data/layouts").glob("*.toml"))
        if path.stem
        not in {
            "provision-no_clients",
            "provision-no_channels",
            "provision-two_gateways",
            "provision-profile_first_channel",
            "provision-profile_layout_name",
        }
    ),
    ROOT / "layouts/config.toml",
    ROOT / "layouts/mainflux.toml",
]
BINDINGS = """\
[bootstrap]
  profile_id = "77708c94-3ff5-4068-ab5b-72d1318a9f1c" # made by hand
  autowhite_list = false
  [[bootstrap.bindings]]
    slot = "mqtt"
    type = "client"
  [[bootstrap.bindings]]
    slot = "data"
    type = "channel"
    metadata_key = "type"
    metadata_value = "data"
  [[bootstrap.bindings]]
    slot = "none"
    type = "channel"
    name = "nowhere"
"""


def plan_of(text: str) -> Plan:
    layout = read(text, file="old.toml").layout
    return expand(layout, gateway("one"), CountedIdentifiers())


def converted(text: str) -> tuple[str, tuple[str, ...]]:
    made = convert(text, file="old.toml", name="new")
    return made.text, made.notes


@pytest.mark.parametrize("file", OLD, ids=lambda path: path.stem)
def test_the_converted_layout_makes_the_same_gateway(file: Path) -> None:
    old = file.read_text()
    new, _ = converted(old)
    reading = read(new, file="new.toml")
    assert reading.layout.dialect is Dialect.PROVISION
    before, after = plan_of(old), plan_of(new)
    assert after.gateway is None or before.name == after.name
    assert [client.metadata for client in before.clients] == [
        client.metadata for client in after.clients
    ]
    assert before.channels == after.channels
    assert before.connections == after.connections
    assert before.certificates == after.certificates
    assert before.config == after.config
    assert before.profile == after.profile


def test_bindings_become_references_to_keys() -> None:
    old = GO.replace("[bootstrap]\n  autowhite_list = true\n", BINDINGS)
    new, notes = converted(old)
    layout = read(new, file="new.toml").layout
    assert [(binding.slot, binding.type, binding.resource) for binding in layout.bindings] == [
        ("mqtt", "client", "client"),
        ("data", "channel", "data-channel"),
    ]
    assert layout.bootstrap.status == "disabled"
    assert any('slot "none" is left unbound' in note for note in notes)
    config = plan_of(old.replace('    name = "nowhere"\n', "")).config
    assert config is not None
    assert evolve(config, content="") == plan_of(new).config
    assert any("no longer null" in note for note in notes)


@pytest.mark.parametrize(
    ("file", "slot", "key"),
    [("profile_first_channel", "data", "data-channel"), ("profile_layout_name", "mqtt", "client")],
)
def test_a_binding_by_name_finds_what_its_author_meant(file: str, slot: str, key: str) -> None:
    new, _ = converted((ROOT / f"tests/data/layouts/provision-{file}.toml").read_text())
    bindings = read(new, file="new.toml").layout.bindings
    assert next(binding.resource for binding in bindings if binding.slot == slot) == key


def test_comments_stay_where_they_were() -> None:
    new, _ = converted(
        "# Plant 7\n"
        + GO.replace('name = "client"', 'name = "client" # the agent').replace(
            "  [channels.metadata]", "  # what it is for\n  [channels.metadata]"
        )
    )
    assert new.startswith("# Plant 7\n\n[layout]\n")
    assert 'name = "client" # the agent' in new
    assert new.count("# what it is for") == 2


def test_mainflux_things_become_clients_and_keep_comments() -> None:
    new, notes = converted(
        GO.replace("[[clients]]", "[[things]] # all").replace("[clients.", "[things.")
    )
    assert "[[clients]] # all" in new
    assert any('no longer "things"' in note for note in notes)


def test_literal_braces_stay_literal() -> None:
    old = GO.replace('external_id = "xxxxxx"', 'external_id = ""\n    hint = "{{ .ID }}"')
    new, _ = converted(old)
    assert plan_of(new).clients[0].metadata == plan_of(old).clients[0].metadata


def test_content_that_was_a_string_becomes_a_table() -> None:
    old = GO.replace("autowhite_list = true", """content = '{"a": {"b": [1, "x"]}}'""")
    new, _ = converted(old)
    assert plan_of(new).config == plan_of(old).config


def test_a_layout_of_this_dialect_stays_as_it_is() -> None:
    assert converted(OWN) == (OWN, ("the file is in this project's dialect already",))


def test_without_clients_there_is_nothing_to_convert() -> None:
    with pytest.raises(LayoutError, match="at least one client"):
        converted('[[channels]]\nname = "a"\n')


def test_things_that_are_no_tables_of_their_own_become_clients() -> None:
    old = 'things = [{ name = "agent", metadata = { external_id = "" } }]\n'
    new, _ = converted(old + '[[channels]]\nname = "data"\nmetadata = { list = ["{{ .ID }}"] }\n')
    layout = read(new, file="new.toml").layout
    assert [(client.key, client.name, client.bootstrap) for client in layout.clients] == [
        ("agent", "agent", True)
    ]
    assert plan_of(new).channels[0].metadata == {"list": ["{{ .ID }}"]}


@pytest.mark.parametrize(
    ("old", "kept", "note"),
    [
        ("[cert]\nttl = '10h'\n", "", "[cert] had no effect"),
        ("[cert]\nttl = '10h'\n[bootstrap]\nx509_provision = true\n", "[certificates]\nttl", ""),
        ("[cert]\n[bootstrap]\nx509_provision = true\n", "", ""),
        ("[bootstrap]\nprovision = false\ncontent = 1\n", "", "[bootstrap] had no effect"),
        ("[bootstrap]\nprovision = false\n", "", ""),
        ("[bootstrap]\nprofile_id = ''\n", "", ""),
        ("[bootstrap]\ncontent = ' '\n", "", "no longer null"),
        ("[bootstrap]\ncontent = 'null'\n", "", "no longer null"),
        ("[bootstrap]\ncontent = 'false'\n", "content = false", ""),
        (
            "[[bootstrap.bindings]]\nslot = 's'\ntype = 'client'\n",
            "",
            "[[bootstrap.bindings]] had no effect",
        ),
    ],
)
def test_what_has_no_effect_is_left_out_and_said(old: str, kept: str, note: str) -> None:
    new, notes = converted(old + GO.partition("\n\n")[0].partition("autowhite_list = true\n")[2])
    tables = [line for line in new.splitlines() if line.startswith("[")]
    assert tables[0] == "[layout]"
    assert kept in new
    assert ("[certificates]" in tables, "[bootstrap]" in tables) == (
        "[certificates]" in kept,
        "content" in kept,
    )
    assert any(note in told for told in notes)
    assert sum("had no effect" in told for told in notes) == ("had no effect" in note)


def test_a_whole_file_of_the_go_service_is_converted_as_a_person_would() -> None:
    old = """\
# Hall 5
file = "config.toml"

[server]
http_port = "9016"

[bootstrap]
x509_provision = true

[bootstrap.render_context]
hint = "{{ .ID }}"

[cert]
ttl = "10h"

[[clients]]
name = "sensor"

[[clients]]
# It talks to the others.
name = "agent"
[clients.metadata]
external_id = ""

[[channels]]
name = "data"
"""
    new, notes = converted(old)
    assert (
        new
        == """\
# Hall 5

[layout]
name = "new"

[bootstrap]

[bootstrap.render_context]
hint = "{{\\"{{\\"}} .ID }}"

[[clients]]
name = "sensor"
key = "sensor"
certificate = true

[[clients]]
# It talks to the others.
name = "agent"
key = "agent"
bootstrap = true
certificate = true
[[channels]]
name = "{{ .Name }}_data"
key = "data"

[certificates]
ttl = "10h"
"""
    )
    told = ["[server] is no part", "file: a layout is called", "a request's name goes to"]
    told += ["channels are called after", "a config without content", "settings of the environment"]
    assert [note.startswith(start) for note, start in zip(notes, told, strict=True)] == [True] * 6


def test_a_binding_without_a_name_is_the_gateways_and_clients_have_no_prefix() -> None:
    bindings = '[[bootstrap.bindings]]\nslot = "a"\ntype = "client"\n'
    bindings += '[[bootstrap.bindings]]\nslot = "b"\ntype = "client"\nname = "gw_client"\n'
    old = GO.replace(
        "autowhite_list = true", f'profile_id = "x"\n{bindings}[[clients]]\nname = "b"'
    )
    new, _ = converted(old)
    layout = read(new, file="new.toml").layout
    assert [(binding.slot, binding.resource) for binding in layout.bindings] == [("a", "client")]


def test_what_mainflux_s_releases_know_is_carried_or_told() -> None:
    text, notes = converted(
        GO.replace("clients", "things")
        .replace("[bootstrap]", "[bootstrap]\n  x509_provision = true")
        .replace('name = "client"', 'Name = "client"\n  Owner = "op@example.com"')
        + '[server]\nmf_user = "op"\n[thing.metadata]\n  external_id = "x"\n'
        + '[certs]\n  days_valid = "10h"\n  key_bits = 4096\n'
    )
    made = read(text, file="new.toml", name="new").layout
    assert (made.certificates.ttl_seconds, made.certificates.key_type) == (36_000, "rsa-4096")
    assert made.clients[0].name == "client"
    assert "[[clients]]: Owner had no effect: left out" in notes
    assert any(note.startswith("thing: ") for note in notes)
    assert "[server] is no part of a layout: keep it in the settings' file" in notes
