"""Every key of a TOML text is found on its line, and broken files say where."""

from pathlib import Path

import pytest

from switch.toml import ConfigError, Problem, key_text, load, locate

TEXT = '''\
# comment = "no key"
top = 1
[sip]
udp = [
    "127.0.0.1:5060",  # ] in a comment
    "x = y",
]
"quoted.key" = 2
a.b = 3
text = """
not_a_key = 1
"""
after = { x = 1, y = [1,
  2] }
last = "]"
[[line]]
id = "101"
[line.caps.international]
minutes_per_day = 1
[[line]]  # another
id = "102"
[line.location]
insee = "1"
[[line.extra]]
z = 1
[[line.extra]]
z = 2
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("top",), 2),
        (("sip",), 3),
        (("sip", "udp"), 4),
        (("sip", "quoted.key"), 8),
        (("sip", "a", "b"), 9),
        (("sip", "text"), 10),
        (("sip", "after"), 13),
        (("sip", "last"), 15),
        (("line", 0), 16),
        (("line", 0, "id"), 17),
        (("line", 0, "caps", "international", "minutes_per_day"), 19),
        (("line", 1), 20),
        (("line", 1, "id"), 21),
        (("line", 1, "location", "insee"), 23),
        (("line", 1, "extra", 0, "z"), 25),
        (("line", 1, "extra", 1, "z"), 27),
    ],
)
def test_a_key_stands_on_its_line(key: tuple[str | int, ...], line: int) -> None:
    assert locate(TEXT)[key] == line


def test_nothing_else_is_taken_for_a_key() -> None:
    assert ("sip", "not_a_key") not in locate(TEXT)
    assert ("sip", "x") not in locate(TEXT)


def test_a_key_that_is_not_written_is_answered_by_what_would_hold_it(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(TEXT)
    document = load(path)
    assert document.line_of(("line", 1, "password")) == 20
    assert document.line_of(("sip", "udp", 1)) == 4
    assert document.line_of(("nothing",)) == 1
    assert str(document.problem(("line", 1, "password"), "missing")) == (
        f"{path}:20: line[1].password: missing"
    )


def test_a_key_is_written_as_people_read_it() -> None:
    assert key_text(("line", 3, "caps", "x")) == "line[3].caps.x"
    assert key_text(()) == ""


@pytest.mark.parametrize(
    ("content", "line"), [(b"a = 1\nb = \n", 2), (b"\xff", 0), (b"a = 1\na = 2\n", 2)]
)
def test_a_broken_file_says_where(tmp_path: Path, content: bytes, line: int) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert [(problem.file, problem.line) for problem in caught.value.problems] == [(path, line)]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "x.toml")


def test_problems_are_sorted_and_all_told() -> None:
    one, two = Problem(Path("a"), 1, "k", "m"), Problem(Path("a"), 2, "", "n")
    assert str(ConfigError([two, one])) == "a:1: k: m\na:2: n"
