"""Two trunks that could not be told apart are refused."""

import pytest

from switch.trunk.consistency import complaints
from switch.trunk.settings import TrunkSettings


def trunk(name: str, **values: object) -> TrunkSettings:
    return TrunkSettings.model_validate({"id": name, "address": "192.0.2.1"} | values)


def test_one_address_serves_several_ports_and_transports() -> None:
    apart = (trunk("a"), trunk("b", port=5070), trunk("c", transport="tcp"))
    assert list(complaints(apart)) == []


@pytest.mark.parametrize(
    ("second", "key"), [(trunk("b"), "address"), (trunk("a", port=5070), "id")]
)
def test_the_second_of_two_alike_is_named(second: TrunkSettings, key: str) -> None:
    assert [found for found, _ in complaints((trunk("a"), second))] == [("trunk", 1, key)]
