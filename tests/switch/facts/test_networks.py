"""Where addresses are: longest prefix, kinds, the country database."""

import hashlib
from pathlib import Path

import pytest

from policy.model import Says
from switch.facts import networks as rooms
from switch.facts.networks import (
    NetworkError,
    Networks,
    Place,
    PrefixTable,
    open_database,
    packed,
    read_csv,
    version_of,
)
from tests.switch.facts import mmdb

FRENCH = frozenset({"FR", "RE"})


def networks(*rows: Place, database: object = None) -> Networks:
    table = PrefixTable((row.network, row) for row in rows)
    return Networks(FRENCH, table, database)  # type: ignore[arg-type]


class Database:
    """A country database with one record."""

    def __init__(self, record: object) -> None:
        self.record = record

    def get(self, ip_address: str, /) -> object:
        return self.record


def test_the_most_specific_network_wins() -> None:
    table = PrefixTable([("10.0.0.0/8", 8), ("10.1.0.0/16", 16), ("10.1.2.3/32", 32), ("::/0", 0)])
    found = [
        table.find(ip) for ip in ("10.9.9.9", "10.1.9.9", "10.1.2.3", "11.0.0.1", "2001:db8::1")
    ]
    assert found == [8, 16, 32, None, 0]


def test_an_ipv4_address_inside_ipv6_is_the_ipv4_address() -> None:
    table = PrefixTable([("192.0.2.0/24", "v4"), ("2001:db8::/32", "v6")])
    assert table.find("::ffff:192.0.2.7") == "v4"
    assert table.find("2001:db8::7%eth0") == "v6"


@pytest.mark.parametrize("text", ["", "x", "1.2.3", "1.2.3.4.5", "1.2.3.256", "::g", "a.b.c.d"])
def test_what_is_no_address_is_nowhere(text: str) -> None:
    assert packed(text) is None
    assert PrefixTable([("0.0.0.0/0", 1), ("::/0", 1)]).find(text) is None


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        (Place("127.0.2.0/24", "DE"), "DE", Says.ABROAD),
        (Place("127.0.2.0/24", "FR"), "FR", Says.FRANCE),
        (Place("127.0.2.0/24", "RE"), "RE", Says.FRANCE),
        (Place("127.0.2.0/24", "DE", "vpn"), "DE vpn", Says.NOTHING),
        (Place("127.0.2.0/24", "", "hosting"), "hosting", Says.NOTHING),
        (Place("127.0.9.0/24", "DE"), "unknown", Says.NOTHING),
    ],
)
def test_what_an_address_says(place: Place, value: str, says: Says) -> None:
    signal = networks(place).signal("127.0.2.1")
    assert (signal.kind, signal.value, signal.says) == ("source_country", value, says)


@pytest.mark.parametrize(
    ("record", "value"),
    [
        ({"country": {"iso_code": "DE"}}, "DE"),  # MaxMind
        ({"country_code": "DE"}, "DE"),  # ip-location-db
        ({"country": "DE"}, "DE"),
        ({}, "unknown"),
        (None, "unknown"),
        ({"country": 7}, "unknown"),
    ],
)
def test_the_database_answers_where_the_table_does_not(record: object, value: str) -> None:
    known = networks(Place("10.0.0.0/8", "FR"), database=Database(record))
    assert known.signal("192.0.2.1").value == value
    assert known.signal("10.0.0.1").value == "FR"


def test_rows_are_read_with_comments_and_quotes() -> None:
    text = '# note\nnetwork,country,kind,name\n\n10.0.0.0/8,DE,access,"a, b"\n::/0,,hosting,cloud\n'
    assert read_csv(text) == [
        ("10.0.0.0/8", Place("10.0.0.0/8", "DE", "access", "a, b")),
        ("::/0", Place("::/0", "", "hosting", "cloud")),
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("10.0.0.1/8,DE,access,x", "host bits"),
        ("10.0.0.0/8,de,access,x", "ISO"),
        ("10.0.0.0/8,DEU,access,x", "ISO"),
        ("10.0.0.0/8,DE,home,x", "kind is one of"),
        ("10.0.0.0/8,DE", "2 columns"),
        ("10.0.0.0/8,DE,access,x\n10.0.0.0/8,FR,access,y", "stands twice"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(row: str, message: str) -> None:
    with pytest.raises(NetworkError, match=message) as caught:
        read_csv(f"# note\nnetwork,country,kind,name\n{row}\n")
    assert caught.value.line == 2 + len(row.splitlines())


def test_other_columns_are_refused() -> None:
    with pytest.raises(NetworkError, match="network,country,kind,name"):
        read_csv("network,country\n10.0.0.0/8,DE\n")


RECORDS = {
    "198.51.100.0/24": {"country": {"iso_code": "DE"}},  # as MaxMind nests it
    "203.0.113.0/24": {"country_code": "FR"},  # as ip-location-db has it
    "2001:db8::/32": {"country_code": "RE"},
}
BUILT = 1_793_491_200  # 1 November 2026


@pytest.mark.parametrize(
    ("address", "value", "says"),
    [
        ("198.51.100.9", "DE", Says.ABROAD),
        ("::ffff:198.51.100.9", "DE", Says.ABROAD),
        ("203.0.113.9", "FR", Says.FRANCE),
        ("2001:db8::9", "RE", Says.FRANCE),
        ("2001:db8::9%eth0", "RE", Says.FRANCE),
        ("192.0.2.1", "unknown", Says.NOTHING),
        ("10.1.2.3", "private", Says.NOTHING),
        ("::ffff:192.168.1.1", "private", Says.NOTHING),
        ("100.64.0.1", "private", Says.NOTHING),
        ("fd00::1", "private", Says.NOTHING),
        ("fe80::1%eth0", "private", Says.NOTHING),
        ("phone.example", "unknown", Says.NOTHING),
    ],
)
def test_a_database_file_is_read(tmp_path: Path, address: str, value: str, says: Says) -> None:
    path = mmdb.write(tmp_path / "country.mmdb", RECORDS, BUILT)
    known = Networks(FRENCH, PrefixTable(()), *open_database(path))
    signal = known.signal(address)
    assert (signal.value, signal.says) == (value, says)
    assert known.signal(address) is signal, "looked up once"


def test_the_version_names_the_very_file_and_its_day(tmp_path: Path) -> None:
    path = mmdb.write(tmp_path / "country.mmdb", RECORDS, BUILT)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    database, version = open_database(path)
    assert version == f"country.mmdb {digest[:8]} 2026-11-01"
    known = Networks(FRENCH, PrefixTable(()), database, version)
    assert known.signal("198.51.100.9").source == version
    assert known.signal("192.0.2.1").source == version, "it was asked, and knew nothing"
    table = tmp_path / "networks.csv"
    table.write_text("network,country,kind,name\n10.0.0.0/8,DE,access,office\n")
    ((network, place),) = read_csv(table.read_text(), version_of(table))
    assert (
        Networks(FRENCH, PrefixTable([(network, place)])).signal("10.1.1.1").source == place.source
    )
    assert place.source.startswith("networks.csv ")


def test_ipv6_asked_of_an_ipv4_database_is_unknown(tmp_path: Path) -> None:
    path = mmdb.write(tmp_path / "v4.mmdb", {"198.51.100.0/24": {"country_code": "DE"}}, BUILT, 4)
    known = Networks(FRENCH, PrefixTable(()), *open_database(path))
    assert known.signal("198.51.100.9").value == "DE"
    assert known.signal("2001:db8::1").says is Says.NOTHING


def test_a_damaged_database_is_refused_or_knows_nothing(tmp_path: Path) -> None:
    path = mmdb.write(tmp_path / "country.mmdb", RECORDS, BUILT)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"."):
        open_database(path)
    at = whole.index(mmdb.MARKER)
    path.write_bytes(whole[: at - 40] + b"\xff" * 40 + whole[at:])
    known = Networks(FRENCH, PrefixTable(()), *open_database(path))
    for address in ("198.51.100.9", "203.0.113.9", "2001:db8::1"):
        assert known.signal(address).kind == "source_country"


def test_a_table_wins_over_the_database_and_may_place_a_private_network(tmp_path: Path) -> None:
    path = mmdb.write(tmp_path / "country.mmdb", RECORDS, BUILT)
    rows = [Place("10.8.0.0/16", "FR"), Place("198.51.100.128/25", "DE", "vpn")]
    table = PrefixTable((row.network, row) for row in rows)
    known = Networks(FRENCH, table, *open_database(path))
    assert known.signal("10.8.1.1").says is Says.FRANCE
    assert known.signal("198.51.100.200").value == "DE vpn"
    assert known.signal("198.51.100.1").says is Says.ABROAD


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "_REMEMBERED", 10)
    known = networks(Place("10.0.0.0/8", "DE"))
    for last in range(250):
        assert known.signal(f"10.0.0.{last}").says is Says.ABROAD
    assert len(known._signals) <= 10
