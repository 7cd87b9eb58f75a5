"""One abuser for each detector: a gross one, and a slow one that stays near honest volumes.

Each month function takes a random source and a scale. A slow variant does the same at a part of the
volume, on fewer days.
"""

import random
from collections.abc import Callable

from personas import Habits, Line, Persona, busy_days, office

from policy.model import NumberClass

Month = Callable[[random.Random, float], "list"]
Deed = Callable[[Line, int, float], None]
_ABROAD = {"number_class": NumberClass.INTERNATIONAL, "country": "CU"}


def _on_some_days(deed: Deed, share: float, pace: float) -> Month:
    def month(rng: random.Random, scale: float) -> list:
        line = Line(rng)
        for day in busy_days(line, share):
            deed(line, day, pace * scale)
        for call in office(Habits(6, 5, 30, 0.1, 120))(rng, 1.0):
            line._calls.append(call)
        return line.calls()

    return month


def _dial_through(line: Line, day: int, count: float, **kind: object) -> float:
    """Dial one stranger after the other without a pause; returns the minute of the end."""
    minute = 545.0
    for _ in range(round(count)):
        answered = line.rng.random() < 0.35
        talk_s = line.rng.choice((3, 4, 5, 20, 45)) if answered else 0
        line.call(day, minute, line.stranger(), talk_s, ring_ms=12_000, **kind)
        minute += (12 + talk_s + line.rng.uniform(0.3, 1.6)) / 60
    return minute


def auto_dialling(line: Line, day: int, pace: float) -> None:
    """D1: a machine that dials again within two seconds."""
    _dial_through(line, day, 260 * pace)


def predictive(line: Line, day: int, pace: float) -> None:
    """D2: more is dialled than there are agents; who is not needed is dropped."""
    for _ in range(round(220 * pace)):
        minute, roll = line.rng.uniform(560, 1100), line.rng.random()
        if roll < 0.35:
            line.call(day, minute, line.stranger(), 0, ended_by="caller", ring_ms=9_000)
        elif roll < 0.45:
            line.call(day, minute, line.stranger(), 2, ended_by="caller")
        else:
            line.call(day, minute, line.stranger(), line.talk_s(70) if roll < 0.8 else 0)


def call_centre(line: Line, day: int, pace: float) -> None:
    """D3: on the phone all day with people it never called before."""
    minute = 540.0
    while minute < 540 + 560 * min(pace, 1.1):
        talk_s = line.talk_s(190, 0.5)
        line.call(day, minute, line.stranger(), talk_s, ring_ms=8_000)
        minute += talk_s / 60 + line.rng.uniform(0.3, 1.2)


def telemarketing(line: Line, day: int, pace: float) -> None:
    """D4: short calls to strangers, at all hours, none of whom ever calls back."""
    for _ in range(round(170 * pace)):
        talk_s = line.talk_s(22, 0.6) if line.rng.random() < 0.5 else 0
        line.call(day, line.rng.uniform(490, 1250), line.stranger(), talk_s)


def trunking(line: Line, day: int, pace: float) -> None:
    """D5: a small exchange behind one line."""
    for _ in range(round(150 * pace)):
        minute = line.rng.choice((600, 660, 870, 930)) + line.rng.uniform(0, 45)
        line.call(day, minute, line.stranger(), line.talk_s(240), outbound=line.rng.random() < 0.6)


def forwarding(line: Line, day: int, pace: float) -> None:
    """D6: the line is a bridge to another network, day and night."""
    for _ in range(round(40 * pace)):
        minute = line.rng.uniform(0, 1430)
        line.call(day, minute, line.stranger(), line.talk_s(260), outbound=False, forwarded=True)


def conferences(line: Line, day: int, pace: float) -> None:
    """D7: a conference bridge that never closes; the switch sees calls that are up together."""
    for n in range(4):
        line.call(day, 500 + n, f"+3319900077{n}", 9.5 * 3600 * pace)


def fax_spam(line: Line, day: int, pace: float) -> None:
    """D8: faxes to numbers from a list."""
    for _ in range(round(110 * pace)):
        line.call(day, line.rng.uniform(540, 1140), line.stranger(), 48, is_fax=True)


def voice_blast(line: Line, day: int, pace: float) -> None:
    """D9: the same recording to everybody."""
    for _ in range(round(180 * pace)):
        heard = line.rng.random() < 0.7
        talk_s = 31.2 if heard else line.rng.uniform(1, 30)
        line.call(
            day, line.rng.uniform(545, 1150), line.stranger(), talk_s, spoken=0.95, heard=0.06
        )


def no_conversation(line: Line, day: int, pace: float) -> None:
    """D10: an open line, a baby phone, a data channel."""
    for _ in range(max(1, round(7 * pace))):
        line.call(day, line.rng.uniform(500, 1000), "+33199000778", 3000, spoken=0.9, heard=0.01)


def many_destinations(line: Line, day: int, pace: float) -> None:
    """D11: everybody once."""
    for _ in range(round(75 * pace)):
        talk_s = line.talk_s(90) if line.rng.random() < 0.7 else 0
        line.call(day, line.rng.uniform(540, 1130), line.stranger(), talk_s)


def many_calls(line: Line, day: int, pace: float) -> None:
    """D12: the same few hundred, again and again."""
    peers = [f"+3314268{n:04d}" for n in range(300)]
    for _ in range(round(260 * pace)):
        talk_s = line.talk_s(55) if line.rng.random() < 0.7 else 0
        line.call(day, line.rng.uniform(500, 1200), line.rng.choice(peers), talk_s)


def toll_fraud(line: Line, day: int, pace: float) -> None:
    """D14: at night, to one expensive range, several at a time."""
    for _ in range(round(30 * pace)):
        peer = f"+5371234{line.rng.randrange(10**4):04d}"
        line.call(day, line.rng.uniform(90, 150), peer, line.talk_s(900, 0.3), **_ABROAD)


def wangiri(line: Line, day: int, pace: float) -> None:
    """D15: rings for a moment and waits to be called back."""
    for n in range(round(160 * pace)):
        line.call(day, 560 + n * 0.35, line.stranger(), 0, ring_ms=2_500, ended_by="caller")


def scanning(line: Line, day: int, pace: float) -> None:
    """D16: number after number, many of which don't exist."""
    start = 142_000_000 + line.rng.randrange(10**5)
    for n in range(round(120 * pace)):
        exists = line.rng.random() < 0.45
        status = 487 if exists else 404
        line.call(day, 600 + n * 0.6, f"+33{start + n * 2}", 0, status=status)


def resale(line: Line, day: int, pace: float) -> None:
    """D17: strangers behind one line, each with a phone and a network of their own."""
    people = round(14 * pace)
    for _ in range(round(70 * pace)):
        who = line.rng.randrange(max(people, 1))
        line.call(
            day,
            line.rng.uniform(480, 1260),
            line.stranger(),
            line.talk_s(150),
            user_agent=f"Phone {who}",
            subnet=f"203.0.113.{who}/32",
        )


def takeover(line: Line, day: int, pace: float) -> None:
    """D18: a stolen password, a new phone on a new network, and expensive calls within the hour."""
    if day < 15 or day % 3:
        return
    for n in range(max(1, round(8 * pace))):
        line.call(
            day,
            300 + n * 9,
            f"+5377{line.rng.randrange(10**6):06d}",
            line.talk_s(500, 0.3),
            user_agent=f"friendly-scanner {day}",
            subnet=f"192.0.2.{day}/32",
            **_ABROAD,
        )


_DEEDS: dict[str, Deed] = {
    "D1": auto_dialling, "D2": predictive, "D3": call_centre, "D4": telemarketing, "D5": trunking,
    "D6": forwarding, "D7": conferences, "D8": fax_spam, "D9": voice_blast, "D10": no_conversation,
    "D11": many_destinations, "D12": many_calls, "D14": toll_fraud, "D15": wangiri, "D16": scanning,
    "D17": resale, "D18": takeover,
}  # fmt: skip
# Fax and takeover have no slower kind that is still worth its while below a few a day.
GROSS = tuple(
    Persona(deed.__name__, name, _on_some_days(deed, 0.9, 1.0)) for name, deed in _DEEDS.items()
)
SLOW = tuple(
    Persona(f"{deed.__name__}_slow", name, _on_some_days(deed, 0.45, 0.4))
    for name, deed in _DEEDS.items()
)
HONEST = tuple(
    Persona(name, "", office(habits))
    for name, habits in {
        "reception": Habits(18, 45, 250, 0.25, 75),
        "on_call_rota": Habits(6, 9, 40, 0.1, 160, days=frozenset(range(7)), hours=(400, 1380),
                               forwarded=0.5),
        "recruiter": Habits(48, 12, 320, 0.45, 170, answered=0.6),
        "clinic": Habits(40, 45, 900, 0.35, 80),
        "law_firm": Habits(16, 14, 140, 0.15, 420, abroad=0.04, fax=0.05),
        "accountant": Habits(14, 16, 160, 0.1, 260),
        "architect": Habits(11, 8, 90, 0.12, 220, conference=0.04),
        "estate_agent": Habits(36, 28, 260, 0.35, 130, phones=2, networks=2),
        "small_sales_team": Habits(44, 16, 340, 0.4, 150),
        "restaurant": Habits(6, 34, 500, 0.55, 55, days=frozenset(range(1, 7)), hours=(600, 1340)),
        "it_support": Habits(14, 30, 110, 0.08, 380, conference=0.03, phones=2),
        "courier_desk": Habits(42, 30, 380, 0.3, 45),
        "freight_forwarder": Habits(26, 22, 180, 0.12, 190, abroad=0.35,
                                    countries=("BE", "DE", "NL", "GB", "ES", "IT", "PL")),
        "consultant": Habits(9, 8, 70, 0.12, 600, phones=2, networks=3, abroad=0.06),
    }.items()
)  # fmt: skip
