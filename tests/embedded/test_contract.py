"""The embedded platform keeps the port's promises (over HTTP: ``tests/platform``)."""

from __future__ import annotations

import pytest

from tests.embedded.service import Installation
from tests.platform.contract import PlatformContract, Subject


class TestEmbeddedPlatform(PlatformContract):
    @pytest.fixture
    def subject(self, installed: Installation) -> Subject:
        return Subject(installed.platform, installed.token, installed.operator.domain_id)
