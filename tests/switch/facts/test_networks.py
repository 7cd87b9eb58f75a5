"""Where addresses are: longest prefix, kinds, the country database."""

import pytest

from policy.model import Says
from switch.facts.networks import NetworkError, Networks, Place, PrefixTable, packed, read_csv

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
