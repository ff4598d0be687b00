"""What documents say of the code is made from the code: the picture, the layers, the API."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.served import ROOT
from tests.documents import architecture
from tests.documents.generated import PARTS, made_anew, made_part


@pytest.mark.parametrize("document", PARTS, ids=lambda path: path.name)
def test_a_made_part_is_what_the_code_gives_now(document: Path) -> None:
    assert made_part(document) == made_anew(document), "run make docs"


def test_the_layers_of_the_document_are_those_of_the_contract() -> None:
    rows = re.findall(
        r"^\| (\d+) \| `provision/(\w+)", made_part(ROOT / "docs/explanation/architecture.md"), re.M
    )
    shown: dict[int, list[str]] = {}
    for layer, part in rows:
        shown.setdefault(int(layer), []).append(f"provision.{part}")
    assert [shown[layer] for layer in sorted(shown)] == architecture.layers_of("provision")


def test_every_import_leads_to_a_lower_layer() -> None:
    assert architecture.read_picture().upward() == []


def test_every_package_is_drawn() -> None:
    document = ROOT / "docs/explanation/architecture.md"
    drawn, told = made_part(document), document.read_text()
    packages = [
        (package, path.name)
        for package in ("provision", "bootstrap_core")
        for path in (ROOT / package).iterdir()
        if (path / "__init__.py").exists()
    ]
    assert [
        (package, name)
        for package, name in packages
        if f'{name}["{name}/"]' not in drawn and f"`{package}/{name}`" not in told
    ] == []


def test_a_picture_leaves_out_what_another_way_tells() -> None:
    layers = [["provision.cli"], ["provision.api"], ["provision.certificates"], ["provision.pki"]]
    imports = {
        "provision.cli": frozenset({"provision.api", "provision.pki"}),
        "provision.api": frozenset({"provision.certificates"}),
        "provision.certificates": frozenset({"provision.pki"}),
        "provision.pki": frozenset[str](),
    }
    arrows = architecture.Picture(layers, imports).arrows()
    assert arrows == [("provision.cli", "provision.api"), ("provision.api", "provision.pki")]


def test_an_import_upward_is_told() -> None:
    picture = architecture.Picture(
        [["provision.cli"], ["provision.api"]],
        {"provision.cli": frozenset(), "provision.api": frozenset({"provision.cli"})},
    )
    assert picture.upward() == [("provision.api", "provision.cli")]


def test_every_file_that_the_architecture_names_exists() -> None:
    text = (ROOT / "docs/explanation/architecture.md").read_text()
    named = re.findall(r"(?:^  |`)([a-z_]+/[a-z_/]+)(?=[ `]|$)", text, re.M)
    roots = (ROOT, ROOT / "provision")
    assert len(named) > 20
    for name in named:
        paths = [root / f"{name.rstrip('/')}{ending}" for root in roots for ending in ("", ".py")]
        assert any(path.exists() for path in paths), name
