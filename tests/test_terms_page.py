"""docs/terms.md names files and tests that exist, and has a row for each clause that must have one."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "terms.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| clause")
]
CLAUSES = (
    "1(a)", "1(b)", "1(c)", "1(d)", "1(e)", "1(i)", "2(b)", "2(c)", "2(d)", "2(e)", "2(f)", "2(g)", "2(i)",
    "2(k)(a)", "2(k)(b)", "2(k)(c)", "2(k)(d)", "2(k)(e)", "2(k)(f)", "2(l)(i)", "2(l)(ii)", "2(l)(iii)",
    "2(l)(iv)(2)", "2(l)(iv)(3)", "2(m)", "2(n)", "2(o)", "3(a)", "3(b)", "4(a)", "4(d)", "4(e)", "5",
    "6(b)", "7(g)", "10", "14",
)  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_names_what_exists(row: list[str]) -> None:
    clause, rule, file, test = row
    assert clause
    assert rule
    assert (ROOT / file.strip("`")).is_file(), file
    path, _, name = test.strip("`").partition("::")
    source = (ROOT / path).read_text("utf-8")
    assert re.search(rf"^(async )?def {name}\(", source, re.MULTILINE), test


def test_each_clause_has_its_row() -> None:
    said = " ".join(row[0] for row in ROWS)
    assert [clause for clause in CLAUSES if clause not in said] == []
    assert len(ROWS) > 50
