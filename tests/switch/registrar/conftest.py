"""A registrar for each test."""

import pytest

from tests.switch.registrar.bench import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()
