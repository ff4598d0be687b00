from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from hypothesis import settings

from bootstrap_core import core
from bootstrap_core.keys import COST, Cost, KeyHasher
from provision import platform_choice
from provision.embedded import users
from tests import database

# Whether an example is slow says something of the machine, not of the product.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

MEMORY = "/dev/shm"  # noqa: S108 # pytest makes a directory of its own in it
ROOM = 2**31

_run = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    # On a disk, the suite waits as long for commits to be written as it computes.
    if "TMPDIR" not in os.environ and _has_room(MEMORY):
        os.environ["TMPDIR"] = tempfile.tempdir = MEMORY
    # A worker uses the server of the run that it belongs to.
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        database.start_server(_run)


def pytest_unconfigure() -> None:
    database.clear()
    _run.close()


def pytest_collection_finish() -> None:
    # What is imported by now stays: it need not be looked through for garbage again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is about another store alone than the one that the tests run on."""
    other = "sqlite" if database.ON_POSTGRESQL else "postgresql"
    left_out = [item for item in items if item.get_closest_marker(other)]
    items[:] = [item for item in items if not item.get_closest_marker(other)]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session", autouse=True)
def quick_hashes() -> Iterator[None]:
    """Let the services in this process hash passwords and keys at little cost.

    A third of what the suite does would go into them. Services in processes of their own, and
    tests that name a cost, hash as in earnest.
    """

    def hasher(cost: Cost, threads: int | None) -> KeyHasher:
        return KeyHasher(Cost(ln=1, r=1, p=1) if cost == COST else cost, threads)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(core, "KeyHasher", hasher)
        patch.setattr(platform_choice, "Passwords", partial(users.Passwords, users.Cost(n=2)))
        yield


def _has_room(directory: str) -> bool:
    try:
        found = os.statvfs(directory)
    except OSError:
        return False
    # Some tests run programs that they write.
    runs_programs = not found.f_flag & os.ST_NOEXEC
    return runs_programs and found.f_bavail * found.f_frsize > ROOM


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    try:
        return (yield)
    finally:
        directory = getattr(item, "funcargs", {}).get("tmp_path")
        if isinstance(directory, Path):
            database.forget(directory)
