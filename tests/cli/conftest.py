from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.served import ROOT, Served, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The service on a loopback port, shared by the tests of one file."""
    with serving(tmp_path_factory.mktemp("data"), ROOT / "layouts") as service:
        yield service
