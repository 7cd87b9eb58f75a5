"""Emergency calls while something is broken: each completes, and is on a trunk in time.

`make bench-emergency-faults` runs the long form; the table at its end is the one of docs/emergency.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.wire.emergency_call import Course
from tests.wire.faults import FAULTS, Fault
from tests.wire.scene import Scene

SHORT, LONG = 2, 50
PAUSED = 10  # one in so many


@dataclass(frozen=True, slots=True)
class Row:
    """What became of the calls of one fault."""

    fault: Fault
    courses: list[Course]

    @property
    def first_s(self) -> float:
        """The longest time to any trunk."""
        return max((course.first_s or 99.0 for course in self.courses), default=99.0)

    @property
    def working_s(self) -> float:
        """The longest time to the trunk that answered."""
        return max((course.working_s or 99.0 for course in self.courses), default=99.0)

    def __str__(self) -> str:
        done = sum(course.is_complete for course in self.courses)
        middle = sorted(course.working_s or 99.0 for course in self.courses)[len(self.courses) // 2]
        return (
            f"| {self.fault.name} | {done}/{len(self.courses)} | {self.first_s * 1000:.0f} "
            f"| {middle * 1000:.0f} | {self.working_s * 1000:.0f} |"
        )


HEAD = (
    "| fault | completed | ms to any trunk, worst | ms to the trunk that answers, median | worst |\n"
    "|---|---|---|---|---|"
)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A switch of its own: others' calls must not be in the way of what is broken here."""
    with Scene(tmp_path_factory.mktemp("faults")) as running:
        yield running


@pytest.fixture(scope="module")
def table() -> Iterator[list[Row]]:
    """All rows, shown at the end of the module (`pytest -s`)."""
    rows: list[Row] = []
    yield rows
    print("", HEAD, *rows, sep="\n")


@pytest.mark.parametrize(
    "count", [SHORT, pytest.param(LONG, marks=pytest.mark.full)], ids=["short", "full"]
)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_emergency_calls_complete_with(
    fault: Fault, count: int, scene: Scene, table: list[Row]
) -> None:
    scene.phone(fault.line, fault.host)
    courses: list[Course] = []
    with fault.cause(scene):
        for _ in range(min(count, fault.most)):
            fault.before_each(scene)
            courses.append(scene.dial(fault.line, fault.host))
    row = Row(fault, courses)
    table.append(row)
    assert [course.what for course in courses if not course.is_complete] == []
    assert row.working_s <= fault.working_s, [each.working_s for each in courses]
    late = [each for each in courses if (each.first_s or 99.0) > (fault.first_s or 99.0)]
    # A machine that pauses makes one call late; a fault that delays would delay them all.
    assert len(late) <= max(1, len(courses) // PAUSED), [each.first_s for each in courses]
