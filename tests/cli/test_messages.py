"""What commands say where something is wrong: what, where, what is allowed, and what to do now."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests.cli.prompt import provision
from tests.cli.served import Served


def lint(text: str, *more: str) -> str:
    Path("x.toml").write_text('[layout]\nname = "x"\n' + text)
    ended = provision("layout", "lint", "x.toml", *more)
    return ended.out + ended.err


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("template", "place", "told"),
    [
        ("{{ .ExternalID-agent", "4:9", "this action is not closed; write }} at its end"),
        ("x {{ .ExternalID }", "4:11", "this action is not closed; write }} at its end"),
        ("{{ prnt .Name }}", "4:9", 'function "prnt" not defined; did you mean "print"?'),
        ("{{ uper .Name }}", "4:9", "the functions are and, call, default"),
    ],
)
def test_a_template_that_does_not_parse(template: str, place: str, told: str) -> None:
    said = lint(f'[[clients]]\nname = "{template}"\n')
    assert said.startswith(f"x.toml:{place}: error: not a valid template: ")
    assert told in said


def test_keys_that_stand_twice_are_told_at_once() -> None:
    said = lint('[[clients]]\nname = "a"\nname = "b"\ntags = []\ntags = ["x"]\n')
    assert '"clients[0].name" is defined twice, first in line 4' in said
    assert '"clients[0].tags" is defined twice, first in line 6' in said
    assert said.endswith("1 file checked: 2 errors, 0 warnings\n")


def test_a_key_is_told_to_be_taken_whatever_else_is_wrong() -> None:
    said = lint('[[clients]]\nkey = "a"\nname = "x"\n[[clients]]\nkey = "a"\n')
    assert 'client key "a" is taken by the client in line 3' in said
    assert 'missing key "name"' in said


def test_a_wrong_choice_is_told_in_our_own_words() -> None:
    ended = provision("list", "--state", "bogus")
    assert (ended.code, "Value error" in ended.err) == (2, False)
    assert "'bogus' is not one of 'planned'" in ended.err


def test_what_is_allowed_is_listed_once(served: Served) -> None:
    Path("p.toml").write_text(
        '[layout]\nname = "p"\n[parameters.site]\npattern = "^[a-z]+$"\nrequired = true\n'
        '[parameters.size]\nenum = ["s", "l"]\nrequired = true\n'
        '[[clients]]\nname = "agent"\n[[channels]]\nname = "c"\n'
    )
    sent = ("--param", "site=A", "--param", "size=m")
    ended = served.run("plan", "gw-allowed", "--layout", "p.toml", *sent)
    assert "parameters.site: must match the pattern ^[a-z]+$;" in ended.err
    assert ended.err.count("s, l") == 1
    assert ended.err.count("^[a-z]+$") == 1


def test_an_unknown_layout_is_told_in_sentences(served: Served) -> None:
    near = served.run("map", "gw-new", "key", "--layout", "gatway")
    assert 'there is no layout "gatway"; did you mean "gateway"? The layouts are ' in near.err
    far = served.run("map", "gw-new", "key", "--layout", "nosuch")
    assert 'there is no layout "nosuch". The layouts are ' in far.err


def test_a_question_that_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    ended = provision("map", "gw-new", "--url", "http://127.0.0.1:9")
    assert 'the question "External key" has no answer: standard input is at its end' in ended.err
    assert "next: give the device's key, or set PROVISION_EXTERNAL_KEY" in ended.err


def test_a_data_directory_that_is_not_there() -> None:
    ended = provision("list", "--data", "nowhere", "--token", "t", "--url", "http://127.0.0.1:9")
    assert "no domain is named, and the data directory nowhere is not there" in ended.err


@pytest.mark.parametrize("command", ["list", "healthcheck"])
def test_an_address_without_its_scheme(command: str) -> None:
    ended = provision(command, "--url", "localhost:9020")
    assert ended.code == 1
    assert "the address 'localhost:9020' does not begin with http:// or https://" in ended.err
    assert "next: write it as http://localhost:9020" in ended.err


def test_a_backup_names_no_file_that_is_gone_afterwards(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    ended = provision("backup", "nowhere/all.tar.gz", "--data", "data")
    assert "there is no directory nowhere" in ended.err
    (tmp_path / "data" / "provision.db").write_text("no database")
    ended = provision("backup", "all.tar.gz", "--data", "data")
    assert ended.err.startswith("provision: data could not be copied to all.tar.gz: ")
    assert "backup-" not in ended.err


def test_restoring_says_how_to_go_on_with_that_directory() -> None:
    Path("first").mkdir()
    assert provision("backup", "all.tar.gz", "--data", "first").code == 0
    ended = provision("restore", "all.tar.gz", "--data", "second one")
    assert "next: provision serve --data 'second one'" in ended.err


def test_a_refused_device_is_told_what_a_device_can_do(served: Served) -> None:
    ended = provision("bootstrap", "bootstrap", "gw-unknown", "key", "--url", served.url)
    assert ended.code == 1
    assert "a token whose user" not in ended.err
    assert "next: send the device's own ID and key" in ended.err


def test_lists_that_are_empty_say_so(served: Served) -> None:
    ended = served.run("list", "--state", "stuck")
    assert (ended.code, ended.out) == (0, "")
    assert "no gateway of this domain matches" in ended.err


def test_a_service_that_is_not_there_is_started_on_the_same_directory() -> None:
    arguments = ("--data", "my data", "--token", "t", "--domain", "d")
    ended = provision("list", "--url", "http://127.0.0.1:9", *arguments)
    assert "next: start it with `provision serve --data 'my data'`, or name" in ended.err
