"""``make`` sets an environment up from the lock alone; a set-up that failed can be repeated."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from attrs import frozen

from tests.cli.served import ROOT

BACKEND = """
import zipfile

def build_editable(directory, config_settings=None, metadata_directory=None):
    name = "product-1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{directory}/{name}", "w") as wheel:
        wheel.writestr("product.py", "")
        wheel.writestr("product-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: product\\nVersion: 1.0\\n")
        wheel.writestr("product-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("product-1.0.dist-info/RECORD", "")
    return name
"""  # noqa: E501
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def make_wheel(index: Path, name: str, version: str, *requires: str) -> str:
    """Put a package into a directory that serves as an index; return its line for a lock."""
    file = index / f"{name}-{version}-py3-none-any.whl"
    about = f"{name}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"]
    metadata += [f"Provides-Extra: more\nRequires-Dist: {each}\n" for each in requires]
    with zipfile.ZipFile(file, "w") as wheel:
        wheel.writestr(f"{name}.py", f"VERSION = {version!r}\n")
        wheel.writestr(f"{about}/METADATA", "".join(metadata))
        tag = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{about}/WHEEL", tag)
        digest = base64.urlsafe_b64encode(hashlib.sha256(b"").digest()).rstrip(b"=").decode()
        wheel.writestr(f"{about}/RECORD", f"{about}/METADATA,sha256={digest},0\n")
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}\n"


@frozen
class Project:
    """A small project with this one's set-up, and an index of packages for it."""

    root: Path
    index: Path

    def make(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Set up the environment for the product."""
        return subprocess.run(
            ["make", "runtime", *arguments],
            cwd=self.root,
            env=self.environment() | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def environment(self) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PIP_", "PYTHON", "MAKE", "MFLAGS", "VIRTUAL_ENV"))
        }
        # The interpreter that runs the tests, not the one of a virtual environment in PATH.
        base = Path(sys.base_prefix) / "bin"
        return inherited | {
            "PATH": f"{base}:{inherited['PATH']}",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.index),
        }

    def run(self, code: str) -> str:
        """Return what the environment's Python prints."""
        python = str(self.root / ".venv" / "bin" / "python")
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
        return done.stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root, index = tmp_path / "project", tmp_path / "index"
    (root / "requirements").mkdir(parents=True)
    index.mkdir()
    shutil.copy(ROOT / "Makefile", root)
    shutil.copy(ROOT / "requirements" / "install.py", root / "requirements")
    (root / "pyproject.toml").write_text(PROJECT)
    (root / "backend.py").write_text(BACKEND)
    lock = [make_wheel(index, "tool", "1.0", "engine[more]>=1"), make_wheel(index, "engine", "1.0")]
    for name in ("runtime", "development", "mutants"):
        (root / "requirements" / f"{name}.txt").write_text("".join(lock))
    return Project(root, index)


@pytest.mark.slow
def test_newer_releases_change_nothing(project: Project) -> None:
    make_wheel(project.index, "tool", "2.0")
    make_wheel(project.index, "engine", "2.0")

    done = project.make()

    assert done.returncode == 0, done.stderr
    assert project.run("import tool, engine; print(tool.VERSION, engine.VERSION)") == "1.0 1.0"


@pytest.mark.slow
def test_a_lock_that_lacks_a_package_is_refused(project: Project) -> None:
    lock = project.root / "requirements" / "runtime.txt"
    lock.write_text(lock.read_text().split("\n")[0] + "\n")

    done = project.make()

    assert done.returncode != 0
    assert "tool 1.0 requires engine, which is not installed" in done.stderr


@pytest.mark.slow
def test_what_is_complete_is_left_alone_and_a_changed_lock_is_installed(project: Project) -> None:
    project.make()
    again = project.make()
    added = make_wheel(project.index, "more", "1.0")
    with (project.root / "requirements" / "runtime.txt").open("a") as lock:
        lock.write(added)
    changed = project.make()

    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert changed.returncode == 0, changed.stderr
    assert project.run("import more; print(more.VERSION)") == "1.0"


@pytest.mark.slow
def test_an_environment_without_pip_is_made_anew(project: Project) -> None:
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", project.root / ".venv"], check=True
    )

    done = project.make()

    assert done.returncode == 0, done.stderr
    assert project.run("import tool; print(tool.VERSION)") == "1.0"


@pytest.mark.slow
def test_an_interrupted_set_up_is_made_anew(project: Project) -> None:
    interrupted = subprocess.Popen(
        # Where the suite runs in the background, interrupts are ignored, by its children too.
        ["env", "--default-signal=INT", "make", "runtime"],
        cwd=project.root,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    while not (project.root / ".venv").exists() and interrupted.poll() is None:
        time.sleep(0.01)
    os.killpg(interrupted.pid, signal.SIGINT)
    said, _ = interrupted.communicate(timeout=60)

    done = project.make()

    assert interrupted.returncode != 0
    assert "Interrupted. Run the same command again to start over." in said
    assert "Traceback" not in said
    assert done.returncode == 0, done.stderr
    assert project.run("import tool; print(tool.VERSION)") == "1.0"


@pytest.mark.slow
def test_packages_that_can_not_be_had_are_told_and_the_next_try_works(project: Project) -> None:
    failed = project.make(PIP_FIND_LINKS=str(project.root))
    done = project.make()

    assert failed.returncode != 0
    assert "No matching distribution found for tool==1.0" in failed.stderr
    assert "then run the same command again: it starts over." in failed.stderr
    assert "Traceback" not in failed.stderr
    assert done.returncode == 0, done.stderr


def test_a_python_without_ensurepip_leaves_nothing_behind(project: Project, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['ensurepip'] = None\n")

    done = project.make(PYTHONPATH=str(tmp_path))

    assert done.returncode != 0
    assert "has no module ensurepip" in done.stderr
    assert "apt-get install python3." in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project.root / ".venv").exists()


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("no-such-python", "There is no no-such-python. Install Python 3.11 or later, or name one"),
        ("{root}/old", "Python 3.11 or later is needed"),
    ],
)
def test_a_python_that_will_not_do_is_told_in_one_sentence(
    project: Project, python: str, said: str
) -> None:
    old = project.root / "old"
    code = "import sys; sys.version_info = (3, 9); exec(sys.argv.pop(1))"
    old.write_text(f'#!/bin/sh\nshift\nexec {sys.executable} -c "{code}" "$@"\n')
    old.chmod(0o755)

    done = project.make(f"PYTHON={python.format(root=project.root)}")

    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project.root / ".venv").exists()


def test_something_else_in_the_place_of_the_environment_is_not_touched(project: Project) -> None:
    (project.root / ".venv").mkdir()
    (project.root / ".venv" / "thesis.txt").write_text("years of work")

    done = project.make()

    assert done.returncode != 0
    assert "is there and is no virtual environment. Move it away" in done.stderr
    assert (project.root / ".venv" / "thesis.txt").read_text() == "years of work"


def test_a_directory_that_can_not_be_written_is_told(project: Project) -> None:
    (project.root / "file").write_text("")

    done = project.make(f"VENV={project.root}/file/environment")

    assert done.returncode != 0
    assert "can't be written" in done.stderr
    assert "make VENV=/elsewhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_install_step_resolves_anything() -> None:
    files = [
        ROOT / name
        for name in ("Makefile", "docker/Dockerfile", ".ci/run", "README.md", "CONTRIBUTING.md")
    ]
    files += [*(ROOT / "docs").glob("*"), ROOT / "requirements" / "install.py"]
    steps = [
        (file.name, step)
        for file in files
        if file.is_file()
        for step in re.findall(
            r"pip[^\n]*\binstall\b[^\n]*|\"install\",[^\n]*", file.read_text(errors="replace")
        )
    ]

    assert steps
    assert not [each for each in steps if "--no-deps" not in each[1]]


def test_an_environment_for_development_has_all_that_the_product_needs() -> None:
    locked = {
        name: set(
            re.findall(r"^[a-z0-9._-]+==\S+", (ROOT / "requirements" / name).read_text(), re.M)
        )
        for name in ("runtime.txt", "development.txt")
    }

    assert locked["runtime.txt"] <= locked["development.txt"]
