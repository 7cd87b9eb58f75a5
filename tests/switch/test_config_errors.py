"""What is wrong with a configuration is told with its file, line and key, and never shows a secret."""

from datetime import date
from pathlib import Path

import pytest

from policy.model import NumberClass
from switch import config
from switch.app.compose import tariffs_of
from switch.toml import ConfigError
from tests.switch.config_copies import copied, lines_of, problems


@pytest.mark.parametrize(
    ("before", "after", "key", "message"),
    [
        ('realm = "vigie"', "relm = 1", "sip.relm", "unknown key"),
        ('realm = "vigie"', "t1_s = 99", "sip.t1_s", "less than or equal to 5"),
        ('realm = "vigie"', "max_expires_s = 60", "sip", "min_expires_s <= default_expires_s"),
        ('realm = "vigie"', 'tls_key = "x"', "sip", "go together"),
        (
            'udp = ["127.0.0.1:5060"]',
            'udp = ["0.0.0.0:5060"]',
            "sip",
            "listening on 0.0.0.0 needs public_address",
        ),
        ('udp = ["127.0.0.1:5060"]', 'udp = ["localhost:5060"]', "sip.udp[0]", "localhost"),
        ("workers = 2", "workers = 1", "media", "reserved_workers is less than workers"),
        ('id = "103"', 'id = "102"', "line[2].id", "102 stands twice"),
        ('id = "103"', 'id = "115"', "line[2].id", "emergency number 115"),
        ('"+33199000103"', '"+33699000103"', "line[2].number", "not for fixed lines"),
        ('"+33199000103"', '"+33199000102"', "line[2].number", "stands twice"),
        ('"+33199000103"', "33199000103", "line[2].number", "string"),
        ('ground = "2(k)(a)"', 'ground = "2(k)"', "line[4]", "cites its ground"),
        ('location = "none"', 'location = "nowhere"', "line[6].location", "'site' or 'none'"),
        ('account = "demo"', 'account = "other"', "line[0].account", "no [[account]] other"),
        ('site = "paris-8"', 'site = "lyon"', "line[0].site", "no [[site]] lyon"),
        ('insee = "75108"', 'insee = "7508"', "site[0].insee", "INSEE commune code"),
        (
            'civic = { country = "FR"',
            'civic = { country = "DE"',
            "emergency.default_location.civic",
            "cover",
        ),
        ('test_number = "933"', 'test_number = "112"', "emergency.test_number", "112"),
        ("port = 5071", "port = 5070", "trunk[1]", "told apart"),
        ('id = "carrier-2"', 'id = "carrier-3"', "dialplan", "not there, carrier-2"),
        ('csv = ["networks.csv"]', 'csv = ["other.csv"]', "networks.csv", "there is no other.csv"),
        ('id = "103"', 'id = "103"\nextension = "933"', "line[2].extension", "test number"),
        ('email = "demo@example.org"', 'email = "demo"', "account[0].email", "name@domain"),
        ('udp = ["127.0.0.1:5060"]', 'udp = "127.0.0.1:5060"', "sip.udp", "expected a list"),
        ('password = "demo-103"', f'ha1_sha256 = "{"0" * 64}"', "line[2]", "no MD5 hash"),
    ],
)
def test_a_wrong_value_is_found_with_its_line(
    tmp_path: Path, before: str, after: str, key: str, message: str
) -> None:
    changes = [(before, after)]
    if key == "trunk[1]":
        changes.append(('transport = "tcp"', 'transport = "udp"'))
        key = "trunk[1].address"
    path = copied(tmp_path, *changes)
    found = problems(path)
    named = [entry for entry in found if entry[1] == key]
    assert named, found
    assert message in named[0][2]
    if key.split(".")[-1].partition("[")[0] in after:
        assert named[0][0] in lines_of(path, after.splitlines()[-1])


@pytest.mark.parametrize(
    ("table", "key", "message"),
    [
        ('[[tariff]]\nclass = "mobile"\neuros_per_minute = 1\n', "tariff[1].class", "mobile"),
        (
            '[[route]]\nname = "mobile"\nhops = [{ trunk = "carrier-1" }]\n',
            "route[1].name",
            "mobile",
        ),
    ],
)
def test_a_table_that_stands_twice(tmp_path: Path, table: str, key: str, message: str) -> None:
    path = copied(tmp_path, ("[demo]", f"{table}{table}[demo]"))
    assert [found[1:] for found in problems(path)] == [(key, f"{message} stands twice")]


def test_a_class_has_one_price_from_each_day_on(tmp_path: Path) -> None:
    first = '[[tariff]]\nclass = "mobile"\neuros_per_minute = 1\n'
    later = f"{first}since = 2027-03-01\n"
    found = config.load(copied(tmp_path, ("[demo]", f"{first}{later}[demo]")))
    assert set(tariffs_of(found.settings)[NumberClass.MOBILE]) == {date.min, date(2027, 3, 1)}
    path = copied(tmp_path, ("[demo]", f"{later}{later}[demo]"))
    [problem] = problems(path)
    assert problem[1:] == ("tariff[1].class", "mobile since 2027-03-01 stands twice")


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    path = copied(
        tmp_path,
        ("schema_version = 1", "schema_version = 2"),
        ('realm = "vigie"', "relm = 1"),
        ('password = "demo-101"', ""),
    )
    found = problems(path)
    assert [key for _, key, _ in found] == ["schema_version", "sip.relm", "line[0]"]
    assert found[2][2] == "a line needs password, ha1 or ha1_sha256"


def test_an_error_never_shows_a_password(tmp_path: Path) -> None:
    path = copied(tmp_path, ('password = "demo-101"', 'pasword = "demo-101"'))
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert "pasword: unknown key" in str(caught.value)
    assert "demo-101" not in str(caught.value) + repr(caught.value)
    assert caught.value.__cause__ is None


def test_a_wrong_row_of_a_table_is_found_in_its_file(tmp_path: Path) -> None:
    path = copied(tmp_path)
    with (path / "networks.csv").open("a") as file:
        file.write("10.0.0.1/8,DE,access,x\n")
    with pytest.raises(ConfigError, match=r"networks\.csv:\d+: .*host bits"):
        config.load(path)


@pytest.mark.parametrize("name", ["networks.csv", "vigie.toml"])
def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path, name: str) -> None:
    path = copied(tmp_path)
    text = (path / name).read_text("utf-8").lstrip("#")  # so that the mark is before a key
    (path / name).write_text(f"\ufeff# {text}", "utf-8")
    config.load(path)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    path = copied(tmp_path)
    (path / "networks.csv").unlink()
    (path / "networks.csv").mkdir()
    with pytest.raises(ConfigError, match=r"/networks\.csv: Is a directory$"):
        config.load(path)
    with pytest.raises(ConfigError, match=r"/nowhere: No such file or directory$"):
        config.load(tmp_path / "nowhere")


def test_a_broken_country_database_is_named(tmp_path: Path) -> None:
    path = copied(tmp_path, ('csv = ["networks.csv"]', 'mmdb = "country.mmdb"'))
    (path / "country.mmdb").write_bytes(b"not a database")
    assert [key for _, key, _ in problems(path)] == ["networks.mmdb"]


def test_toml_that_cannot_be_read_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = copied(tmp_path, ('realm = "vigie"', "realm = vigie"))
    ((line, _, _),) = problems(path)
    assert [line] == lines_of(path, "realm = vigie")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("siret", "73282932000075", "its check digit is wrong"),
        ("vat", "FR45732829320", "its key is wrong"),
    ],
)
def test_a_company_number_that_nobody_has_is_named(
    tmp_path: Path, key: str, value: str, said: str
) -> None:
    path = copied(tmp_path, ('id = "demo"\n', f'id = "demo"\n{key} = "{value}"\n'))
    [problem] = problems(path)
    assert said in problem[2]
    assert [problem[0]] == lines_of(path, f'{key} = "{value}"')
