"""The documents hold: their commands run, their links lead somewhere, their alerts name metrics."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from attrs import fields
from jsonschema import Draft202012Validator

from provision.cli.output import CHANGES, MEANINGS, REFUSED
from provision.former_settings import PLATFORM, UNUSED
from provision.settings import Settings, names_of
from tests import database
from tests.cli.served import ROOT, Served, serving
from tests.documents.command_list import commands, options_of

ROOTS = ("README.md", "CONTRIBUTING.md", "SECURITY.md")
DOCUMENTS = sorted(
    [*(ROOT / name for name in ROOTS), *ROOT.glob("docs/**/*.md"), *ROOT.glob("layouts/*.md")]
)
IN_ORDER = (ROOT / "docs/tasks/write-a-layout.md", ROOT / "docs/tutorial.md")
"""Their commands need what the text before them has made; they have tests of their own."""
ELSEWHERE = {
    "make ": ROOT / ".ci/run",
    "curl ": ROOT / ".ci/run",
    "docker ": ROOT / "tests/service/test_docker.py",
    "provision serve": ROOT / "tests/service/test_serving.py",
}
"""Commands that are proven by something else."""
ALSO_RIGHT = {"provision plan": CHANGES, "python -m bootstrap_core.gotemplate conformance": REFUSED}
"""Exit codes that tell what the document tells: a difference; the cases that are refused."""


OF_THE_AGENT = {"MG_AGENT_MQTT_MTLS"}
"""Settings of Magistrala's device agent, which the documents for its users name."""


def commands_of(document: Path) -> list[str]:
    """Return what a document tells the reader to type, without its comments."""
    blocks = re.findall(r"^ *```console\n(.*?)^ *```", document.read_text(), re.M | re.S)
    told = [line.strip() for block in blocks for line in block.splitlines()]
    lines = [line for line in told if line.startswith("$ ")]
    return [re.sub(r"\s+#.*", "", line[2:]) for line in lines]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service with the gateway that the documents speak of."""
    with serving(tmp_path_factory.mktemp("data"), ROOT / "layouts") as service:
        ended = service.run("map", "gateway-1", "gateway-1-key")
        assert ended.code == 0, ended.err
        yield service


@pytest.mark.slow
@pytest.mark.parametrize(
    "document", [each for each in DOCUMENTS if each not in IN_ORDER], ids=lambda path: path.stem
)
def test_every_command_works(document: Path, served: Served, tmp_path: Path) -> None:
    for directory in ("layouts", "tests"):
        (tmp_path / directory).symlink_to(ROOT / directory)
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parent.parent)
    for file, text in re.findall(r"^```\w+ (\S+)\n(.*?)^```", document.read_text(), re.M | re.S):
        (tmp_path / file).write_text(text)
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PROVISION_URL": served.url,
        "PROVISION_TOKEN": served.token,
        "MG_PROVISION_DATA": str(served.data),
        **database.environment(served.data),
    }
    for command in commands_of(document):
        if command.startswith(tuple(ELSEWHERE)):
            continue
        ended = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        also_right = next((code for of, code in ALSO_RIGHT.items() if command.startswith(of)), 0)
        assert ended.returncode in {0, also_right}, f"{command}\n{ended.stdout}{ended.stderr}"


def test_what_proves_the_other_commands_is_there() -> None:
    for file in ELSEWHERE.values():
        assert file.read_text()


def anchors_of(document: Path) -> set[str]:
    """Return the anchors that GitHub gives a document's headings."""
    headings = re.findall(r"^#+ (.*)", document.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files_and_headings(document: Path) -> None:
    for link in re.findall(r"\]\((?!https?://)([^)]+)", document.read_text()):
        file, _, anchor = link.partition("#")
        target = document.parent / file if file else document
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


def test_every_document_has_a_place_in_the_index() -> None:
    index = ROOT / "docs/README.md"
    links = re.findall(r"\]\(([^)#]+)\)", index.read_text())
    linked = {(index.parent / link).resolve() for link in links}
    assert {*DOCUMENTS} - linked == {*(ROOT / name for name in ROOTS), index}


@pytest.mark.parametrize(
    "document", sorted(ROOT.glob("docs/tasks/*.md")), ids=lambda path: path.stem
)
def test_a_task_tells_what_it_needs_how_to_check_and_how_to_undo(document: Path) -> None:
    title, *headings = re.findall(r"^#+ (.*)", document.read_text(), re.M)
    assert re.match(r"[A-Z][a-z]+ ", title)
    if document not in IN_ORDER:
        assert {"You need", "Check", "Undo"} - {*headings} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_setting_that_is_named_exists(document: Path) -> None:
    variables = {each for of in fields(Settings) for each in names_of(of.name).variables}
    variables |= {*UNUSED, *PLATFORM}
    text = document.read_text()
    named = re.findall(r"\b(?:MG|MF|SMQ)_[A-Z_]+[A-Z]\b", text)
    endings = re.findall(r"`(_[A-Z_]+)`", text)
    assert set(named) - variables - OF_THE_AGENT == set()
    assert [each for each in endings if not any(of.endswith(each) for of in variables)] == []


@pytest.mark.parametrize(
    "document", [*DOCUMENTS, ROOT / "docs/ci-example.yml"], ids=lambda path: path.name
)
def test_every_command_that_is_named_exists(document: Path) -> None:
    """A command is named by all of its words, or by the first ones, which stand for a group."""
    known = {tuple(name.split()[:length]) for name, _ in commands() for length in (2, 3, 4)}
    groups = {words[:-1] for words in known if len(words) > 2}
    for words in re.findall(
        r"(?:`|^ *\$ |run: )(provision(?: [a-z][a-z-]*)+)", document.read_text(), re.M
    ):
        named = tuple(words.split())
        whole = next((named[:most] for most in (4, 3, 2) if named[:most] in known), ())
        assert whole, words
        assert whole not in groups or named == whole, words


def test_every_command_but_serve_takes_json() -> None:
    assert [name for name, each in commands() if "--json" not in options_of(each)] == [
        "provision serve"
    ]


def test_every_exit_code_is_told() -> None:
    told = re.findall(r"^\| (\d+) \|", (ROOT / "docs/reference/command-line.md").read_text(), re.M)
    assert {int(code) for code in told} >= {int(code) for code in re.findall(r"\d+", MEANINGS)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_examples_in_python_run(document: Path) -> None:
    for example in re.findall(r"^```python\n(.*?)^```", document.read_text(), re.M | re.S):
        subprocess.run([sys.executable, "-c", example], cwd=ROOT, timeout=60, check=True)


def test_requests_for_certificates_are_as_the_api_takes_them(served: Served) -> None:
    schemas = httpx.get(f"{served.url}/openapi.json").json()["components"]["schemas"]
    takers = [
        Draft202012Validator(schemas[each]) for each in ("CertificateRequest", "MappingRequest")
    ]
    text = (ROOT / "docs/reference/certificates.md").read_text()
    examples = re.findall(r"^```json\n(.*?)^```", text, re.M | re.S)
    assert len(examples) == len(takers)
    for example, taker in zip(examples, takers, strict=True):
        taker.validate(json.loads(example))


def test_alerts_name_metrics_that_there_are(served: Served) -> None:
    rules: Any = yaml.safe_load((ROOT / "docs/alerts.yml").read_text())
    text = httpx.get(f"{served.url}/metrics").text
    there = set(re.findall(r"^# (?:HELP|TYPE) (\w+)", text, re.M))
    for rule in (each for group in rules["groups"] for each in group["rules"]):
        assert rule["annotations"]["summary"]
        for name in re.findall(r"\b(provision_\w+)", rule["expr"]):
            assert {name, name.removesuffix("_bucket")} & there, name


def test_the_table_of_metrics_is_true_and_whole(served: Served) -> None:
    monitor = (ROOT / "docs/tasks/monitor.md").read_text()
    text = httpx.get(f"{served.url}/metrics").text
    there = set(re.findall(r"^# (?:HELP|TYPE) (\w+)", text, re.M))
    named = re.findall(r"^\| `(provision_\w+)", monitor, re.M)
    assert set(named) == {each for each in there if not each.endswith("_created")}


def test_the_glossary_stays_short() -> None:
    words = re.findall(r"^\| (?!word|---)", (ROOT / "docs/reference/glossary.md").read_text(), re.M)
    assert 10 < len(words) <= 25
