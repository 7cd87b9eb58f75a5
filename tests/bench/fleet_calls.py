"""A phone that dials 18 again and again while `make bench-fleet` does something else to the switch."""

import statistics
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from tests.bench.members import CALLER, CARRIER, LISTENING
from tests.wire.emergency_call import Course, EmergencyCall
from tests.wire.far_end import FarEnd
from tests.wire.softphone import Softphone

PAUSE_S = 0.05  # between the end of a call and the next one


@dataclass(frozen=True, slots=True)
class Courses:
    """How the calls of some time went."""

    courses: list[Course]

    @property
    def are_all_routed(self) -> bool:
        """Whether each got to the carrier, was answered, and ended as the phone wished."""
        return bool(self.courses) and all(each.is_complete for each in self.courses)

    def __str__(self) -> str:
        times = sorted(each.first_s * 1000 for each in self.courses if each.first_s is not None)
        complete = sum(each.is_complete for each in self.courses)
        told = f"{complete} of {len(self.courses)} complete"
        if not times:
            return told
        late = times[int(0.99 * (len(times) - 1))]
        told += f", at the carrier after {statistics.median(times):.1f} ms (median), "
        return f"{told}{late:.1f} (99 %), {times[-1]:.1f} (worst)"


class Caller:
    """Calls, one after the other, in a thread of its own."""

    def __init__(self) -> None:
        self._held = ExitStack()
        self._courses: list[Course] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._dial, daemon=True)

    def __enter__(self) -> Self:
        server = ("127.0.0.1", LISTENING["5060"])
        self._far_end = self._held.enter_context(FarEnd(*CARRIER))
        self._phone = self._held.enter_context(Softphone(server, CALLER))
        self._phone.register()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join(20)
        self._held.close()

    def take(self) -> Courses:
        """Those that ended since it was asked last."""
        taken, self._courses = self._courses, []
        return Courses(taken)

    def _dial(self) -> None:
        call = EmergencyCall(self._phone, [self._far_end])
        while not self._is_over.is_set():
            course = call.place("18")
            self._courses.append(course)
            time.sleep(PAUSE_S)
