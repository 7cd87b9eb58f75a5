"""The table of endings that operators read is the one that the switch uses."""

from pathlib import Path

from switch.call.ending import ENDINGS

OPERATING = Path(__file__).resolve().parents[3] / "docs" / "operating.md"


def test_the_table_of_endings_is_that_of_the_code() -> None:
    after = OPERATING.read_text(encoding="utf-8").partition("<!-- endings")[2]
    written = [line for line in after.splitlines() if line.startswith("| ")][1:]
    wanted = [
        f"| {row.slug} | {row.status} | {row.cause} | {row.announcement or '-'} | {row.text} |"
        for row in ENDINGS.values()
    ]
    assert written == wanted, "docs/operating.md should say:\n" + "\n".join(wanted)
