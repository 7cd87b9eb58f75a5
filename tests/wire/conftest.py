"""What the wire tests share: one switch for all of them, and phones that leave nothing behind."""

import contextlib
import shutil
from collections.abc import Callable, Iterator

import pytest

from switch.demo.handset import Handset, HandsetError
from tests.wire.rig import Rig

Phones = Callable[..., Handset]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here is a wire test."""
    for item in items:
        if "tests/wire/" in item.path.as_posix():
            item.add_marker(pytest.mark.wire)


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The running switch."""
    for program, package in (("baresip", "baresip-core"), ("sipp", "sip-tester")):
        assert shutil.which(program), f"{program} is missing: apt-get install {package}"
    with Rig(tmp_path_factory.mktemp("switch")) as running:
        yield running


@pytest.fixture
def phone(rig: Rig) -> Iterator[Phones]:
    """Makes registered pjsua2 phones: `phone("101", address="127.0.0.1", transport="udp")`."""
    with contextlib.ExitStack() as stack:

        def make(line: str, address: str = "127.0.0.1", transport: str = "udp") -> Handset:
            handset = stack.enter_context(Handset("--address", address))
            handset.register(line, f"demo-{line}", rig.address, transport)
            stack.callback(unregister, handset)
            return handset

        yield make


@pytest.fixture(scope="session")
def whole_warning(
    rig: Rig, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Handset, int]]:
    """103 dials 18 from Germany and listens to the end, while other tests go on: phone and call."""
    rig.wait_for_sounds("abroad")
    recording = tmp_path_factory.mktemp("warning") / "whole.wav"
    with Handset("--address", "127.0.2.1") as guest:
        guest.register("103", "demo-103", rig.address)
        yield guest, guest.call(rig.uri("18"), record=str(recording))
        unregister(guest)


def unregister(handset: Handset) -> None:
    """So that the next test's calls don't ring here."""
    with contextlib.suppress(HandsetError, OSError):
        handset.do("unregister")
        handset.wait("unregistered", limit_s=2.0)
