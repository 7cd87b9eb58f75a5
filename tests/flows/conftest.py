"""A switch without I/O from the demonstration's settings."""

import pytest

from switch import config
from tests.flows.actors import DEMO, World


@pytest.fixture(scope="session")
def demo() -> config.Configuration:
    return config.load(DEMO)


@pytest.fixture
def world(demo: config.Configuration) -> World:
    return World(demo)
