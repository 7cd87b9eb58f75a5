"""`emergency.routes.*`: check, diff, import and show; alarms; what stays in force when it goes wrong."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from switch import config
from switch.app import build_exchange
from switch.call.exchange import Exchange, NoAnnouncer
from switch.console.commands import CommandRefused
from switch.console.psap_routes import PsapRoutes
from switch.store.psap_tables import PsapTables

ROOT = Path(__file__).parents[3]
HEAD = "number,insee,long_number\n"
FIRST = HEAD + "18,75108,0199000018\n18,75101,0199000018\n15,75108,0199000015\n"


class House:
    """The use cases over an exchange of the demo, with a data directory."""

    def __init__(self, data: Path, *, profile: str = "B", max_shrink: float = 0.02) -> None:
        (data / "config").mkdir(parents=True, exist_ok=True)
        demo = ROOT / "configs" / "demo"
        text = (demo / "vigie.toml").read_text("utf-8")
        text = text.replace('profile = "A"', f'profile = "{profile}"')
        text = text.replace('dialplan = "../..', f'dialplan = "{ROOT}')
        (data / "config" / "vigie.toml").write_text(text, "utf-8")
        (data / "config" / "networks.csv").write_bytes((demo / "networks.csv").read_bytes())
        self.data = data
        self.alarms: list[tuple[str, dict[str, object]]] = []
        found = config.load(data / "config")
        self.exchange: Exchange = build_exchange(found, {}, NoAnnouncer(), {}, b"0" * 16)
        self.routes = PsapRoutes(
            self.exchange,
            PsapTables(data),
            lambda: max_shrink,
            lambda name, fields: self.alarms.append((name, dict(fields))),
        )
        self.routes.load()

    def ask(self, verb: str, text: str | None = None, **args: object) -> Any:
        if text is not None:
            path = self.data / "table.csv"
            path.write_text(text, "utf-8")
            args["path"] = str(path)

        async def run() -> object:
            return await self.routes.table()[f"emergency.routes.{verb}"](args)  # type: ignore[misc]

        return asyncio.run(run())

    def refused(self, verb: str, text: str | None = None, **args: object) -> str:
        with pytest.raises(CommandRefused) as refusal:
            self.ask(verb, text, **args)
        return refusal.value.slug

    def long_number(self) -> str:
        return self.exchange.psap.find("18", "75108")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_check_tells_the_coverage_and_takes_nothing_over(house: House) -> None:
    found = house.ask("check", FIRST + "18,99999,0199000018\n")
    assert found["errors"] == []
    assert (found["entries"], found["communes"]) == (4, 3)
    assert found["numbers"][1] == {
        "number": "18", "communes": 3, "departements": 2, "centres": 1,
    }  # fmt: skip
    assert found["unknown_insee"] == ["99999"]
    assert house.long_number() == ""


def test_check_tells_every_error(house: House) -> None:
    found = house.ask("check", HEAD + "19,75108,0199000018\n18,x,0199000018\n")
    assert [each["line"] for each in found["errors"]] == [2, 3]
    assert house.ask("check", path="/nowhere/table.csv")["errors"]


def test_an_import_is_in_force_at_once_and_after_a_restart(house: House, tmp_path: Path) -> None:
    taken = house.ask("import", FIRST, by="marie")
    assert (taken["version"], taken["entries"], taken["added"]) == (1, 3, 3)
    assert house.long_number() == "+33199000018"
    again = House(tmp_path)
    assert again.long_number() == "+33199000018"
    shown = again.ask("show")
    assert (shown["version"], shown["by"], shown["source"]) == (1, "marie", "table.csv")
    assert shown["kept"] == [1] and shown["problem"] is None
    assert again.ask("show", number="18", insee="75101")["long_number"] == "+33199000018"
    assert again.ask("show", number="17", insee="75101")["long_number"] == ""
    assert again.refused("show", number="18") == "bad_args"


def test_diff_changes_nothing(house: House) -> None:
    house.ask("import", FIRST)
    found = house.ask("diff", HEAD + "18,75108,0199000099\n17,75108,0199000017\n")
    assert (found["added"], found["removed"], found["changed"]) == (1, 2, 1)
    assert found["changed_first"] == ["18 75108 +33199000018 -> +33199000099"]
    assert "shrinks by 100.0%" in found["refusal"], "no row of 15 is left"
    assert found["compared_with"] == 1
    assert house.long_number() == "+33199000018"


def test_a_table_that_covers_less_is_refused_unless_asked_for(house: House) -> None:
    house.ask("import", FIRST)
    less = HEAD + "18,75108,0199000099\n"
    assert house.refused("import", less) == "routes_shrink"
    assert house.refused("import", less, max_shrink=0.5) == "routes_shrink"
    assert house.long_number() == "+33199000018"
    assert house.ask("import", less, max_shrink=1)["version"] == 2
    assert house.long_number() == "+33199000099"


@pytest.mark.parametrize(
    ("text", "slug"), [("nonsense", "bad_routes"), ("", "bad_routes"), (FIRST, "unchanged")]
)
def test_what_is_refused_leaves_the_table_in_force(house: House, text: str, slug: str) -> None:
    house.ask("import", FIRST)
    assert house.refused("import", text) == slug
    assert house.long_number() == "+33199000018"
    assert house.ask("show")["kept"] == [1]


def test_a_disk_that_fails_leaves_the_table_in_force(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    house.ask("import", FIRST)
    monkeypatch.setattr(PsapTables, "add", fails)
    assert house.refused("import", FIRST.replace("0018", "0019")) == "store_unavailable"
    assert house.long_number() == "+33199000018"


def test_an_older_version_is_a_file_like_any_other(house: House) -> None:
    house.ask("import", FIRST)
    house.ask("import", FIRST.replace("0018", "0019"))
    kept = house.data / "emergency-routes" / "000001.csv"
    assert house.ask("import", path=str(kept))["version"] == 3
    assert house.long_number() == "+33199000018"


def test_a_missing_table_alarms_only_where_a_trunk_needs_it(tmp_path: Path) -> None:
    assert House(tmp_path / "a", profile="A").alarms == []
    house = House(tmp_path / "b", profile="B")
    assert [name for name, _ in house.alarms] == ["emergency.routes_unusable"]
    house.routes.judge()
    assert len(house.alarms) == 1, "told once"
    house.ask("import", FIRST)
    assert [name for name, _ in house.alarms][1:] == ["emergency.routes_loaded"]


def test_a_damaged_table_alarms_and_the_next_import_ends_it(house: House, tmp_path: Path) -> None:
    house.ask("import", FIRST)
    (tmp_path / "emergency-routes" / "000001.csv").write_bytes(b"torn")
    again = House(tmp_path)
    name, fields = again.alarms[0]
    assert name == "emergency.routes_unusable" and "first row lacks" in str(fields["reason"])
    assert again.long_number() == ""
    assert again.ask("show")["problem"] == fields["reason"]
    assert again.ask("import", FIRST)["version"] == 2
    assert again.alarms[-1][0] == "emergency.routes_loaded"
