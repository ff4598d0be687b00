"""The container files, checked by parsers: what they name exists, and they are hardened."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from attrs import fields

from provision.cli.main import app
from provision.settings import Settings, names_of
from tests.service.running import ROOT

DOCKERFILE = ROOT / "docker" / "Dockerfile"
COMPOSES = ["docker-compose.yml", "docker-compose.magistrala.yml"]
VARIABLES = {variable for each in fields(Settings) for variable in names_of(each.name).variables}


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n\s*", " ", DOCKERFILE.read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    found = [line.strip().partition(" ") for line in lines]
    return [(word.upper(), rest.strip()) for word, _, rest in found]


def last_stage() -> list[tuple[str, str]]:
    every = instructions()
    start = max(number for number, (word, _) in enumerate(every) if word == "FROM")
    return every[start:]


def compose(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker" / name).read_text())
    return document


def test_every_instruction_is_one_of_dockers() -> None:
    known = {"FROM", "WORKDIR", "ENV", "RUN", "COPY", "ARG", "USER", "VOLUME", "EXPOSE"}
    known |= {"HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert {word for word, _ in instructions()} <= known


def test_it_is_built_in_stages_and_runs_without_privileges() -> None:
    assert sum(word == "FROM" for word, _ in instructions()) == 2
    words = [word for word, _ in last_stage()]
    assert ("USER", "provision") in last_stage()
    assert words.index("USER") < words.index("ENTRYPOINT")
    assert not any("pip" in rest for word, rest in last_stage() if word == "RUN")


def test_what_it_copies_is_there() -> None:
    for word, rest in instructions():
        parts = shlex.split(rest)
        if word == "COPY" and not parts[0].startswith("--from"):
            for source in parts[:-1]:
                assert (ROOT / source).exists(), source


def test_it_installs_exactly_what_is_locked() -> None:
    installs = [rest for word, rest in instructions() if word == "RUN" and "pip install" in rest]
    assert any("--require-hashes -r requirements/runtime.txt" in rest for rest in installs)
    assert all("--require-hashes" in rest or "--no-deps" in rest for rest in installs)


def test_its_variables_are_settings_and_its_commands_exist() -> None:
    set_here = re.findall(r"\b(MG_\w+)=", DOCKERFILE.read_text())
    assert set_here
    assert set(set_here) <= VARIABLES
    group: Any = typer.main.get_command(app)
    commands = set(group.commands)
    (health,) = (rest for word, rest in last_stage() if word == "HEALTHCHECK")
    assert re.search(r'CMD \["provision", "(\w+)"\]', health)[1] in commands  # type: ignore[index]
    assert ("CMD", '["serve"]') in last_stage()
    assert "serve" in commands


@pytest.mark.parametrize("name", COMPOSES)
def test_compose_files_build_this_image_and_need_no_writable_root(name: str) -> None:
    (service,) = compose(name)["services"].values()
    build = service["build"]
    directory = (ROOT / "docker" / build["context"]).resolve()
    assert directory == ROOT
    assert (directory / build["dockerfile"]) == DOCKERFILE
    assert service["read_only"] is True
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["cap_drop"] == ["ALL"]
    for volume in service["volumes"]:
        source = volume.split(":")[0]
        if source.startswith("."):
            assert (ROOT / "docker" / source).resolve().exists()
        else:
            assert source in compose(name)["volumes"]


@pytest.mark.parametrize("name", COMPOSES)
def test_compose_files_pass_on_what_replicas_share(name: str) -> None:
    (service,) = compose(name)["services"].values()
    for variable in ("MG_PROVISION_DATABASE_URL", "MG_PROVISION_SEALING_KEYS"):
        assert service["environment"][variable] == f"${{{variable}:-}}"
    assert set(service["environment"]) <= VARIABLES


@pytest.mark.parametrize("driver", ["aiosqlite", "asyncpg"])
def test_the_image_has_the_driver_of_every_store(driver: str) -> None:
    locked = (ROOT / "requirements" / "runtime.txt").read_text()
    assert re.search(rf"^{driver}==", locked, re.M)


def test_alone_it_is_reached_from_this_machine_only() -> None:
    (service,) = compose("docker-compose.yml")["services"].values()
    assert service["ports"] == ["127.0.0.1:9016:9016"]


def test_beside_magistrala_it_serves_the_ports_of_both_services() -> None:
    document = compose("docker-compose.magistrala.yml")
    (service,) = document["services"].values()
    assert {port.rsplit(":", 1)[1] for port in service["ports"]} == {"9016", "9013"}
    assert service["environment"]["MG_PROVISION_EXTRA_PORTS"] == "9013"
    assert set(service["environment"]) <= VARIABLES
    assert document["networks"][service["networks"][0]]["external"] is True


def test_the_images_layouts_are_the_projects(tmp_path: Path) -> None:
    copies = [shlex.split(rest) for word, rest in last_stage() if word == "COPY"]
    assert ["layouts", "/etc/provision/layouts"] in copies
    environment = " ".join(rest for word, rest in last_stage() if word == "ENV")
    assert "MG_PROVISION_LAYOUTS=/etc/provision/layouts" in environment
