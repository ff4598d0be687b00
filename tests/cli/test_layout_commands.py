"""``provision layout``: what it prints, where, and with which exit code."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import typer
import yaml
from jsonschema import Draft202012Validator

from provision.cli.main import app
from provision.layout.catalog import read_layout_file
from provision.layout.errors import columns
from tests.cli.prompt import provision
from tests.cli.served import ROOT
from tests.layout.samples import EVERYTHING, GO, OWN

SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "items": {"$ref": "#/$defs/run"}},
    },
    "additionalProperties": False,
    "$defs": {
        "message": {
            "type": "object",
            "required": ["text"],
            "properties": {"text": {"type": "string", "minLength": 1}},
        },
        "run": {
            "type": "object",
            "required": ["tool"],
            "properties": {
                "tool": {
                    "type": "object",
                    "required": ["driver"],
                    "properties": {
                        "driver": {
                            "type": "object",
                            "required": ["name"],
                            "properties": {
                                "name": {"type": "string"},
                                "version": {"type": "string"},
                                "rules": {"type": "array", "items": {"$ref": "#/$defs/rule"}},
                            },
                            "additionalProperties": False,
                        }
                    },
                    "additionalProperties": False,
                },
                "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
            },
            "additionalProperties": False,
        },
        "rule": {
            "type": "object",
            "required": ["id", "shortDescription"],
            "properties": {
                "id": {"type": "string"},
                "shortDescription": {"$ref": "#/$defs/message"},
            },
            "additionalProperties": False,
        },
        "result": {
            "type": "object",
            "required": ["message"],
            "properties": {
                "ruleId": {"type": "string"},
                "ruleIndex": {"type": "integer", "minimum": -1},
                "level": {"enum": ["none", "note", "warning", "error"]},
                "message": {"$ref": "#/$defs/message"},
                "locations": {"type": "array", "items": {"$ref": "#/$defs/location"}},
            },
            "additionalProperties": False,
        },
        "location": {
            "type": "object",
            "properties": {
                "physicalLocation": {
                    "type": "object",
                    "properties": {
                        "artifactLocation": {
                            "type": "object",
                            "properties": {"uri": {"type": "string", "format": "uri-reference"}},
                            "additionalProperties": False,
                        },
                        "region": {
                            "type": "object",
                            "properties": {
                                "startLine": {"type": "integer", "minimum": 1},
                                "startColumn": {"type": "integer", "minimum": 1},
                            },
                            "additionalProperties": False,
                        },
                    },
                    "additionalProperties": False,
                }
            },
        },
    },
}
BROKEN = OWN.replace("bootstrap = true", "bootstrap = 1\nbotstrap = true")


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sample.toml").write_text(OWN)


def test_a_good_layout_is_right() -> None:
    ended = provision("layout", "lint", "sample.toml")
    assert (ended.code, ended.out, ended.err) == (0, "", "1 file checked: 0 errors, 0 warnings\n")


def test_every_problem_is_shown_with_place_line_caret_and_rule() -> None:
    Path("sample.toml").write_text(BROKEN)
    ended = provision("layout", "lint", "sample.toml")
    assert ended.code == 1
    assert ended.out == (
        "sample.toml:7:13: error: clients[0].bootstrap must be a boolean, not an integer "
        "[wrong-type]\n"
        "  bootstrap = 1\n"
        "              ^\n"
        'sample.toml:8:1: error: unknown key "botstrap" in [[clients]]; did you mean "bootstrap"? '
        "allowed: key, name, identity, bootstrap, certificate, tags, metadata [unknown-key]\n"
        "  botstrap = true\n"
        "  ^\n"
    )


def test_warnings_are_right_unless_strict() -> None:
    Path("sample.toml").write_text(OWN + '[certificates]\nttl = "200000h"\n')
    ended = provision("layout", "lint", "sample.toml")
    assert ended.code == 0
    assert "sample.toml:19:7: warning: certificates outlive their issuer" in ended.out
    assert provision("layout", "lint", "--strict", "sample.toml").code == 1


def test_a_directory_means_its_layouts() -> None:
    Path("other.toml").write_text(BROKEN)
    Path(".hidden.toml").write_text("= [")
    ended = provision("layout", "lint", ".")
    assert ended.code == 1
    assert ended.err == "2 files checked: 2 errors, 0 warnings\n"


def test_github_gets_workflow_commands() -> None:
    Path("sample.toml").write_text(OWN.replace('key = "agent"', 'key = "a,b:c%"'))
    out = provision("layout", "lint", "--format", "github", "sample.toml").out
    assert out.startswith("::error file=sample.toml,line=5,col=7,title=bad-text::clients[0].key is")
    assert '"a,b:c%25"' in out


def test_sarif_names_rules_and_regions() -> None:
    Path("sample.toml").write_text(BROKEN)
    (run,) = provision("layout", "lint", "--format", "sarif", "sample.toml").json["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["unknown-key", "wrong-type"]
    first = run["results"][0]
    assert (first["ruleId"], first["ruleIndex"], first["level"]) == ("wrong-type", 1, "error")
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "sample.toml"},
        "region": {"startLine": 7, "startColumn": 13},
    }


def test_sarif_is_what_readers_of_it_require() -> None:
    """The requirements of SARIF 2.1.0 for what is written here, and GitHub's for rules."""
    directory = Path("a dir")
    directory.mkdir()
    (directory / "größe #1.toml").write_text(BROKEN)
    Path("sample.toml").write_text(OWN + '[certificates]\nttl = "200000h"\n')
    absolute = str(Path("sample.toml").absolute())
    arguments = ("layout", "lint", "--format", "sarif", "a dir", absolute)
    document = provision(*arguments).json
    validator = Draft202012Validator(SARIF, format_checker=Draft202012Validator.FORMAT_CHECKER)
    assert [each.message for each in validator.iter_errors(document)] == []
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({each["id"] for each in rules}) == len(rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    places = [each["locations"][0]["physicalLocation"] for each in run["results"]]
    uris = {each["artifactLocation"]["uri"] for each in places}
    assert uris == {"a%20dir/gr%C3%B6%C3%9Fe%20%231.toml", Path(absolute).as_uri()}


def test_the_caret_stands_under_the_place_whatever_is_before_it() -> None:
    names = ("[[clients]]", 'key = "agent"')
    wide = OWN.replace("\n".join(names), '[[clients]]\n\t"温度e\u0301" = { a = 1 }\nkey = "agent"')
    assert wide != OWN
    Path("sample.toml").write_text(wide + 'x = "温度" y\n')
    out = provision("layout", "lint", "sample.toml").out.splitlines()
    assert out[1].startswith('  x = "温度" ')
    assert columns(out[2]) == columns('  x = "温度" y')
    Path("sample.toml").write_text(wide)
    out = provision("layout", "lint", "sample.toml").out.splitlines()
    assert out[1:3] == ['  \t"温度e\u0301" = { a = 1 }', "  \t^"]


def test_nothing_in_a_layout_steers_the_terminal() -> None:
    Path("sample.toml").write_text(OWN + "x = \x1b[31m\n")
    out = provision("layout", "lint", "sample.toml").out
    assert "\x1b" not in out
    assert "\N{REPLACEMENT CHARACTER}[31m" in out


def test_json_has_every_field_of_a_problem() -> None:
    Path("sample.toml").write_text(BROKEN)
    problems = provision("layout", "lint", "--format", "json", "sample.toml").json["problems"]
    assert problems[1]["suggestion"] == "bootstrap"
    assert problems[1]["source"] == "botstrap = true"
    assert provision("layout", "lint", "--json", "sample.toml").json["problems"] == problems
    assert provision("layout", "lint", "--json", "--format", "sarif", "sample.toml").code == 2


def test_json_of_what_is_drawn_converted_and_begun() -> None:
    graph = provision("layout", "graph", "sample.toml", "--json").json
    assert graph["clients"][0]["key"] == "agent"
    assert graph["edges"][0]["client"] == "agent"
    ended = provision(
        "layout", "graph", "sample.toml", "--json", "-o", "sample.svg", "--format=svg"
    )
    assert ended.json == graph
    assert Path("sample.svg").read_text().startswith("<svg")
    Path("go.toml").write_text('# Ours.\n[server]\nport = "9"\n' + GO)
    made = provision("layout", "convert", "go.toml", "--json").json
    assert made["file"] is None
    assert any("[server]" in each for each in made["not_carried_over"])
    ended = provision("layout", "convert", "go.toml", "--name", "new", "-o", "new.toml", "--json")
    assert ended.json["text"] == Path("new.toml").read_text()
    begun = provision("layout", "init", "plant", "--json")
    assert begun.json == {"name": "plant", "files": ["plant.toml", "plant.json.tmpl"]}
    assert provision("layout", "lint", "--strict", "plant.toml").code == 0
    assert provision("layout", "schema", "--json").json == provision("layout", "schema").json


def test_questions_that_nobody_answers_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("plant\nA plant\n\nn\n"))
    ended = provision("layout", "init")
    assert ended.code == 1
    assert "next: answer with options, or add --yes" in ended.err
    assert ended.out == ""
    monkeypatch.setattr("sys.stdin", io.StringIO("plant\nA plant\n\nn\nalarm\n\n"))
    assert provision("layout", "init").code == 0
    assert "A plant" in Path("plant.toml").read_text()


@pytest.mark.parametrize(
    "arguments", [["layout", "lint"], ["layout", "lint", "none.toml"], ["layout", "sing"]]
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    ended = provision(*arguments)
    assert ended.code == 2
    assert "--help" in ended.err or "Usage" in ended.err


def test_show_tells_the_normal_form() -> None:
    table = provision("layout", "show", "sample.toml")
    assert table.code == 0
    assert "agent - data" in table.out
    document = provision("layout", "show", "--json", "sample.toml").json
    assert document["clients"][0]["bootstrap"] is True
    assert document["digest"] == read_layout_file(Path("sample.toml")).layout.digest


def test_a_broken_layout_is_told_on_standard_error() -> None:
    Path("sample.toml").write_text(BROKEN)
    for command in ("show", "graph", "convert"):
        ended = provision("layout", command, "sample.toml")
        assert (ended.code, ended.out) == (1, "")
        assert "sample.toml:8:1: unknown key" in ended.err


def test_graph_draws_for_the_terminal_and_as_svg() -> None:
    Path("sample.toml").write_text(EVERYTHING)
    terminal = provision("layout", "graph", "sample.toml").out
    assert "└──▶ data" in terminal
    assert "└◀─▶ data" in terminal
    assert "[mqtt]" in terminal
    ended = provision("layout", "graph", "--format", "svg", "-o", "sample.svg", "sample.toml")
    assert (ended.code, ended.err) == (0, "wrote sample.svg\n")
    root = ET.fromstring(Path("sample.svg").read_text())  # noqa: S314 - our own drawing
    assert root.tag == "{http://www.w3.org/2000/svg}svg"


def test_graph_refuses_another_format_and_tells_which_there_are() -> None:
    Path("sample.toml").write_text(EVERYTHING)
    ended = provision("layout", "graph", "--format", "mermaid", "sample.toml")
    assert (ended.code, ended.out) == (2, "")
    assert "'mermaid' is not one of 'terminal', 'svg'" in " ".join(ended.err.split())


def test_convert_writes_a_layout_and_says_what_is_lost() -> None:
    Path("go.toml").write_text('# Ours.\n[server]\nport = "9"\n' + GO)
    ended = provision("layout", "convert", "go.toml", "-o", "new.toml")
    assert ended.code == 0
    assert "not carried over: [server]" in ended.err
    assert Path("new.toml").read_text().startswith('# Ours.\n\n[layout]\nname = "new"\n')
    assert provision("layout", "lint", "--strict", "new.toml").code == 0
    again = provision("layout", "convert", "go.toml", "-o", "new.toml")
    assert again.code == 1
    assert "next: add --force" in again.err


def test_init_writes_a_layout_that_lints_clean() -> None:
    ended = provision(
        "layout", "init", "plant", "--yes", "--services", "modbus,opc-ua", "--channels", "alarm"
    )
    assert ended.code == 0
    assert provision("layout", "lint", "--strict", "plant.toml").code == 0
    layout = read_layout_file(Path("plant.toml")).layout
    assert [each.key for each in layout.clients] == ["agent", "modbus", "opc-ua"]
    assert [each.key for each in layout.channels] == [
        "control",
        "data",
        "alarm",
        "modbus",
        "opc-ua",
    ]
    template = Path("plant.json.tmpl").read_text()
    assert '"client_key": {{ toJSON .Bindings.opc_ua_tls.Secret.private_key }}' in template
    plain = ("--no-certificates", "--services", "modbus")
    assert provision("layout", "init", "plain", "--yes", *plain).code == 0
    assert provision("layout", "lint", "--strict", "plain.toml").code == 0
    assert "_tls" not in Path("plain.toml").read_text() + Path("plain.json.tmpl").read_text()
    assert provision("layout", "init", "plant", "--yes").code == 1
    assert provision("layout", "init", "../up", "--yes").code == 2
    assert provision("layout", "init", "x", "--yes", "--ttl", "soon").code == 2


def test_fragments_have_a_schema_of_their_own() -> None:
    schema = provision("layout", "schema", "--fragment").json
    assert "layout" not in schema["properties"]
    ended = provision("layout", "schema", "--fragment", "--dialect", "mainflux")
    assert ended.code == 2
    assert "give --fragment alone" in ended.err


def test_schema_is_of_files_or_of_a_layouts_parameters() -> None:
    whole = provision("layout", "schema").json
    assert whole["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "clients" in whole["then"]["required"]
    assert "things" in provision("layout", "schema", "--dialect", "mainflux").json["properties"]
    Path("sample.toml").write_text(EVERYTHING)
    assert provision("layout", "schema", "sample.toml").json["properties"]["port"] == {
        "type": "integer",
        "default": 1883,
        "enum": [1883, 8883],
    }


def commands(group: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command with the words that name it."""
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, *path, name)


EVERY = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_help_tells_the_exit_codes_and_cuts_no_summary(path: tuple[str, ...]) -> None:
    out = provision(*path, "--help").out
    assert "3 changes pending" in " ".join(out.split())
    assert [line for line in out.splitlines() if re.match(r"  \w.*[^}]\.\.\.$", line)] == []


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_command_can_answer_a_script(path: tuple[str, ...]) -> None:
    command = EVERY[path]
    options = {option for each in command.params for option in each.opts}
    assert "--json" in options or hasattr(command, "commands") or path == ("serve",)


def test_the_hook_lints_the_directory_when_any_part_of_a_layout_changes() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    for file in ("layouts/a.toml", "layouts/a.json.tmpl", "layouts/fragments/b.toml"):
        assert re.search(hook["files"], file)
    assert not re.search(hook["files"], "README.md")
    shutil.copytree(ROOT / "layouts", "layouts")
    words = hook["entry"].split() + hook["args"]
    assert words[0] == "provision"
    assert provision(*words[1:]).code == 0
    Path("layouts/gateway.json.tmpl").write_text("{{ broken")
    broken = provision(*words[1:])
    assert broken.code == 1
    assert "gateway.json.tmpl:1:" in broken.out


def test_the_ci_example_runs_commands_that_there_are() -> None:
    shutil.copytree(ROOT / "layouts", "layouts")
    jobs = yaml.safe_load((ROOT / "docs" / "ci-example.yml").read_text())["jobs"]
    runs = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    commands = [re.split(" [>|]", each)[0].split()[1:] for each in runs if "provision " in each]
    linting = [each for each in commands if each[:2] == ["layout", "lint"]]
    assert [provision(*each).code for each in linting] == [0, 0]
    (planning,) = (each for each in commands if each[0] == "plan")
    asked = provision(*planning, "--url", "http://127.0.0.1:9", "--domain", "d", "--token", "t")
    assert (asked.code, "does not answer" in asked.err) == (1, True)
