"""One emergency call from a phone to a far end, step by step, and how long it took to get there.

The phone repeats its INVITE as RFC 3261 §17.1.1.2 says, since overload loses datagrams; everything is
read by one `select`, so the times are those of the switch.
"""

import select
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from switch.sip.message import Request, Response
from tests.wire.far_end import Conduct, FarEnd
from tests.wire.softphone import PhoneDialog, Softphone, dialog_of_response

T1_S = 0.5
T2_S = 4.0
#: Seconds after the first INVITE at which it is repeated.
REPEATS_S = tuple(accumulate(T1_S * 2**n for n in range(6)))
LIMIT_S = 12.0


@dataclass(slots=True)
class Course:
    """How a call went. Times are seconds from the phone's INVITE to an INVITE at a far end: the first
    at any trunk, and the one that was answered. `status` is the phone's final response."""

    first_s: float | None = None
    working_s: float | None = None
    status: int = 0
    is_complete: bool = False
    what: str = ""


class EmergencyCall:
    """Places calls from `phone` (which is registered: it won't be challenged) to one of `far_ends`."""

    def __init__(self, phone: Softphone, far_ends: Sequence[FarEnd]) -> None:
        self.phone = phone
        self.far_ends = far_ends

    def place(self, number: str, limit_s: float = LIMIT_S) -> Course:
        """INVITE, 200, ACK, BYE, 200, all of them through the switch; never raises for a bad course."""
        for far_end in self.far_ends:
            far_end.forget()
        course = Course()
        invite = self.phone.invite(number)
        began = time.monotonic()
        self.phone.send(invite)
        response = self._final(invite, began, limit_s)
        self._clock(course, began)
        if response is None:
            course.what = "no final response"
            return course
        course.status = response.status
        if response.status != 200:
            self.phone.acknowledge_refusal(invite, response)
            course.what = f"{response.status} {response.get('Reason') or ''}"
            return course
        dialog = dialog_of_response(invite, response)
        self.phone.send(self.phone.within(dialog, "ACK", invite.cseq.number))
        course.what = self._hang_up(dialog)
        course.is_complete = not course.what
        return course

    def _final(self, invite: Request, began: float, limit_s: float) -> Response | None:
        """The final response; the INVITE is repeated until a provisional one comes."""
        repeats = list(REPEATS_S) if self.phone.transport == "udp" else []
        branch = invite.via.branch
        while (now := time.monotonic()) < began + limit_s:
            if repeats and now >= began + repeats[0]:
                repeats.pop(0)
                self.phone.send(invite)
            until = min([began + limit_s, *(began + at for at in repeats[:1])])
            message = self._read(max(0.0, until - now))
            if isinstance(message, Response) and message.via.branch == branch:
                if message.status >= 200:
                    return message
                repeats.clear()
        return None

    def _hang_up(self, dialog: PhoneDialog) -> str:
        """ACK and BYE must both cross; "" or what is missing."""
        if not self._serve_until(lambda: self._crossed("ACK"), 3.0):
            return "the ACK did not cross"
        bye = self.phone.within(dialog, "BYE")
        for _ in range(4):
            self.phone.send(bye)
            end = time.monotonic() + T1_S
            while (left := end - time.monotonic()) > 0:
                message = self._read(left)
                if isinstance(message, Response) and message.via.branch == bye.via.branch:
                    crossed = self._serve_until(lambda: self._crossed("BYE"), 3.0)
                    return "" if message.status == 200 and crossed else "the BYE did not cross"
        return "no answer to BYE"

    def _crossed(self, method: str) -> bool:
        """Whether a request of this method came to the far end that answers."""
        return any(
            each.request.method == method for far_end in self.far_ends for each in far_end.arrivals
        )

    def _serve_until(self, test: Callable[[], bool], limit_s: float) -> bool:
        end = time.monotonic() + limit_s
        while not test():
            left = end - time.monotonic()
            if left <= 0:
                return False
            self._serve(min(left, 0.1))
        return True

    def _read(self, limit_s: float) -> Request | Response | None:
        """The phone's next message; far ends are served meanwhile."""
        end = time.monotonic() + limit_s
        while (message := self.phone.read()) is None:
            left = end - time.monotonic()
            if left <= 0:
                return None
            self._serve(left)
        return message

    def _serve(self, limit_s: float) -> None:
        watched: list[socket.socket] = [self.phone.socket]
        for far_end in self.far_ends:
            watched += far_end.sockets
        ready, _, _ = select.select(watched, [], [], limit_s)
        for each in ready:
            for far_end in self.far_ends:
                far_end.serve(each)

    def _clock(self, course: Course, began: float) -> None:
        arrivals = [
            (each.at - began, far_end) for far_end in self.far_ends for each in far_end.invites()
        ]
        times = sorted(at for at, _ in arrivals)
        working = sorted(at for at, end in arrivals if end.conduct is Conduct.ANSWERS)
        course.first_s = times[0] if times else None
        course.working_s = working[0] if working else None
