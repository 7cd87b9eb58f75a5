"""What no suspension, limit, ban, overload, drain, reload, restart or dead subsystem may do: keep an
emergency call of a registered line from leaving on a trunk, unless there is positive evidence (E5) that
the phone is abroad. Thousands of combinations, each a whole call in the flow harness.

The expectation is worked out here from what the trial says, not by the policy.
"""

import errno
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy.model import LineState
from switch import config
from switch.app.reload import Reload
from switch.auth.address import address_key
from switch.call.registered_from import declared, reported
from switch.console.line_life import LineLives
from switch.facts.settings import CapSettings
from switch.facts.whereabouts import USUAL_DAYS, Declaration, network_key, network_name
from switch.sip.flow import Flow
from switch.sip.message import Request, Response
from switch.store.journal import Journal
from tests.flows.actors import Actor, Talk, World, sdp

QUICK, FULL = 1_000, 10_000
PLACES = {
    "127.0.0.1": "site",
    "127.0.2.9": "abroad",  # DE
    "127.0.5.9": "abroad",  # MC
    "127.0.3.9": "",  # no data
    "10.9.9.9": "private",
    "127.0.4.9": "france",  # RE
    "127.0.6.9": "france",
}
VITAL = ("112", "15", "17", "18", "191", "196", "197", "018", "+33112", "urn:service:sos.fire")
SOCIAL = ("115", "119", "116000", "116117")
CARRIERS = ("answers", "rings", "refuses", "silent", "trying", "broken")


@dataclass(frozen=True)
class Trial:
    """One combination."""

    number: str
    state: LineState
    located: bool
    place: str
    declared: str  # country, "" = nothing declared
    device: tuple[str, float] | None  # country, age in seconds
    usual: bool
    carriers: tuple[str, str]
    limits: frozenset[str]
    faults: frozenset[str]

    def is_abroad(self) -> bool:
        """E5: a fresh foreign signal and no fresh French one."""
        says = {PLACES[self.place]}
        if self.declared:
            says.add("france" if self.declared == "FR" else "abroad")
        if self.device is not None and self.device[1] <= 900:
            says.add("france" if self.device[0] == "FR" else "abroad")
        if self.usual and PLACES[self.place] not in ("abroad", "private"):
            says.add("france")
        return "abroad" in says and not says & {"site", "france"}

    def is_by_address_alone(self) -> bool:
        return PLACES[self.place] == "abroad" and not (
            self.declared or (self.device is not None and self.device[1] <= 900)
        )


TRIALS = st.builds(
    Trial,
    number=st.sampled_from(VITAL + SOCIAL),
    state=st.sampled_from(
        [LineState.ACTIVE, LineState.SUSPENDED, LineState.UNPAID, LineState.FRAUD_HOLD]
    ),
    located=st.booleans(),
    place=st.sampled_from(list(PLACES)),
    declared=st.sampled_from(["", "", "FR", "DE"]),
    device=st.one_of(
        st.none(),
        st.tuples(st.sampled_from(["FR", "DE"]), st.sampled_from([0.0, 890.0, 910.0, 9000.0])),
    ),
    usual=st.booleans(),
    carriers=st.tuples(st.sampled_from(CARRIERS), st.sampled_from(CARRIERS)),
    limits=st.frozensets(
        st.sampled_from(
            ["channels", "caps", "max_calls", "lock-out", "trunk channels", "permissions"]
        )
    ),
    faults=st.frozensets(
        st.sampled_from(
            ["drain", "overload", "no media", "journal", "trunks down", "reload", "restart"]
        )
    ),
)


def set_line(world: World, trial: Trial) -> None:
    """The line as the trial has it: what a reload or a command would make of it."""
    facts = world.exchange.facts
    line = facts.lines["101"]
    seen = replace(line.policy, state=trial.state, ground="2(k)(d)")
    if not trial.located:
        seen = replace(seen, location=None)
    if "permissions" in trial.limits:
        seen = replace(seen, permissions=frozenset())
    changed = replace(line, policy=seen)
    if "channels" in trial.limits:
        changed = replace(changed, channels=1)
        world.exchange.live_by_line["101"] = 5
    if "caps" in trial.limits:
        classes = ("international", "premium", "special_paid", "mobile")
        changed = replace(changed, caps={name: CapSettings(minutes_per_day=0) for name in classes})
    world.exchange.facts = replace(
        facts,
        lines={**facts.lines, "101": changed},
        extensions={**facts.extensions, ("demo", "101"): seen},
        numbers={**facts.numbers, line.number: seen},
    )


def registered_phone(world: World, trial: Trial) -> Actor:
    if trial.usual:
        key = network_key(trial.place)
        assert key is not None
        for day in range(USUAL_DAYS):
            at = world.now + (day - USUAL_DAYS) * 86_400.0
            world.exchange.sightings.learn("101", key, network_name(trial.place), at)
    return world.phone("101", trial.place, 21_000)  # the harness counts ports up for ever


def set_place(world: World, trial: Trial) -> None:
    exchange, line = world.exchange, world.exchange.facts.lines["101"]
    if trial.declared:
        declared(exchange, line, Declaration(trial.declared, world.now), world.now)
    if trial.device is not None:
        country, age_s = trial.device
        reported(exchange, "101", country, "", "", exchange.wall(world.now) - age_s, world.now)
    world.pump()


def set_limits(world: World, trial: Trial) -> None:
    exchange = world.exchange
    if "max_calls" in trial.limits:
        exchange.settings = replace(exchange.settings, max_calls=0)
    if "trunk channels" in trial.limits:
        for trunk in exchange.trunks.by_id.values():
            trunk.calls = 100_000
    if "lock-out" in trial.limits:
        lockout, address = exchange.authenticator.lockout, address_key(trial.place)
        lockout._registered.clear()  # or nothing could lock a pair that registered lately
        for guess in range(12):
            lockout.failed("101", address, True, world.now)
            lockout.failed(f"nobody-{guess}", address, False, world.now)
        assert lockout.is_locked("101", address, world.now)


class RoughWorld(World):
    """A switch whose datagrams are `late_s` old, and whose journal may fail."""

    late_s = 0.0
    failing: Journal | None = None

    def deliver(self, data: bytes, flow: Flow) -> None:
        if flow.transport == "UDP":
            self.core.on_datagram(data, flow, self.now - self.late_s, self.now)
            self.pump()
        else:
            super().deliver(data, flow)

    def pump(self) -> None:
        if self.failing is not None and self.exchange.outbox.journal:
            assert self.failing.write(self.exchange.outbox.journal) is False
        super().pump()

    def overload(self) -> None:
        self.late_s = 2.0
        for tick in range(400):
            self.core.shedding.measure(self.now - 2.0, self.now + tick / 1000)
        assert self.core.shedding.is_overloaded


def swap_configuration(world: World) -> None:
    """The second half of a reload, which is synchronous: everything it builds is swapped in."""
    reload = object.__new__(Reload)
    reload.found = world.found
    reload._exchange, reload._key = world.exchange, b"a key of 16 bytes"
    reload._lives = LineLives(world.exchange, world.found.snapshot)
    reload._swap(world.found, world.found.snapshot({}), reload._trunks(world.found))


def set_faults(world: RoughWorld, trial: Trial, failing: Journal) -> RoughWorld:
    if "restart" in trial.faults:
        again = world.restarted()
        assert isinstance(again, RoughWorld)
        world = again
    exchange = world.exchange
    if "reload" in trial.faults:
        swap_configuration(world)
    set_line(world, trial)
    set_limits(world, trial)
    exchange.is_draining = "drain" in trial.faults
    if "no media" in trial.faults:
        world.speakers.free = 0
    if "trunks down" in trial.faults:
        for name, trunk in exchange.trunks.by_id.items():
            for hop in trunk.hops:
                exchange.trunks.failed(name, hop.carrier.flow, world.now)
    world.failing = failing if "journal" in trial.faults else None
    if "overload" in trial.faults:
        world.overload()
    return world


class Carrier:
    """A trunk's other end that behaves as the trial says."""

    def __init__(self, world: World, number: int, behaviour: str) -> None:
        self.actor = world.carrier(number)
        self.behaviour = behaviour
        self.invites: list[Request] = []

    def serve(self) -> None:
        """React to what came."""
        inbox, self.actor.inbox = self.actor.inbox, []
        for message in inbox:
            if isinstance(message, Request):
                self._take(message)

    def _take(self, request: Request) -> None:
        actor = self.actor
        if request.method == "INVITE":
            self.invites.append(request)
            match self.behaviour:
                case "answers":
                    actor.reply(request, 100)
                    actor.reply(request, 200, body=sdp("psap"))
                case "rings":
                    actor.reply(request, 180)
                    actor.reply(request, 200, body=sdp("psap"))
                case "refuses":
                    actor.reply(request, 503)
                case "trying":
                    actor.reply(request, 100)
                case "broken":
                    actor.world.lose_flow(actor)
        elif request.method in ("CANCEL", "BYE", "OPTIONS") and self.behaviour != "broken":
            actor.reply(request, 200)

    @property
    def takes_calls(self) -> bool:
        return self.behaviour in ("answers", "rings")


def statuses(phone: Actor) -> list[int]:
    return [message.status for message in phone.inbox if isinstance(message, Response)]


def serve(world: World, carriers: list[Carrier], phone: Actor, seconds: float) -> None:
    """Let everybody react until the phone has a final response, or for so long."""
    end = world.now + seconds
    while True:
        for carrier in carriers:
            while carrier.actor.inbox:
                carrier.serve()
        if any(status >= 200 for status in statuses(phone)) or world.now >= end:
            return
        world.after(0.5)


def dial(phone: Actor, trial: Trial) -> Talk:
    """An INVITE without credentials: a registered phone is not challenged."""
    phone.password = ""
    phone.challenge = None
    phone.inbox.clear()
    urn = trial.number if trial.number.startswith("urn:") else ""
    return phone.call(trial.number, uri=urn)


class Ground:
    """What all trials share: the demo's configuration, and a journal on a full disk."""

    def __init__(self, found: config.Configuration, failing: Journal) -> None:
        self.found = found
        self.failing = failing


def holds(ground: Ground, trial: Trial) -> None:
    world = RoughWorld(ground.found)
    set_line(world, trial)
    phone = registered_phone(world, trial)
    set_place(world, trial)
    world = set_faults(world, trial, ground.failing)
    carriers = [Carrier(world, n, behaviour) for n, behaviour in enumerate(trial.carriers, 1)]
    speaker = world.speaker()
    refused = dial(phone, trial)
    heard = bool(world.speakers.asked) and "no media" not in trial.faults
    reached = [actor for actor in carriers if actor.actor.inbox]
    if trial.is_abroad() and (heard or not trial.is_by_address_alone()):
        assert not reached, "an emergency call from abroad left the switch"
        assert world.speakers.asked == ["abroad"]
        if not heard:
            refused.fails(403)
            dial(phone, trial)  # nobody could hear why: dialled again, it connects
            reached = [actor for actor in carriers if actor.actor.inbox]
        else:
            words = speaker.called()
            words.answer(380, ("X-Vigie-Key", "1"))
            reached = [actor for actor in carriers if actor.actor.inbox]
    # At once, whatever the trunks are thought to be.
    assert reached, "no INVITE left on a trunk"
    serve(world, carriers, phone, 30.0)
    if any(carrier.takes_calls for carrier in carriers):
        assert 200 in statuses(phone), "a working trunk, and yet no answer"
    assert 401 not in statuses(phone) and 503 not in statuses(phone)


@pytest.fixture(scope="session")
def ground(demo: config.Configuration, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    journal = Journal(tmp_path_factory.mktemp("full") / "journal")

    def full(content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    journal._append = full  # type: ignore[method-assign]
    return Ground(demo, journal)


PROFILE = {"database": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=QUICK, **PROFILE)  # type: ignore[arg-type]
@given(trial=TRIALS)
def test_an_emergency_call_leaves(ground: Ground, trial: Trial) -> None:
    holds(ground, trial)


@pytest.mark.full
@settings(max_examples=FULL, **PROFILE)  # type: ignore[arg-type]
@given(trial=TRIALS)
def test_an_emergency_call_leaves_in_ten_thousand_combinations(
    ground: Ground, trial: Trial
) -> None:
    holds(ground, trial)


@settings(max_examples=60, **PROFILE)  # type: ignore[arg-type]
@given(
    trial=TRIALS,
    state=st.sampled_from([LineState.TERMINATED, LineState.STOLEN]),
)
def test_a_dead_line_reaches_nobody(ground: Ground, trial: Trial, state: LineState) -> None:
    """The counter-proof: the same trials, and no call leaves."""
    world = RoughWorld(ground.found)
    phone = registered_phone(world, trial)
    set_place(world, trial)
    dead = replace(trial, state=state, faults=trial.faults - {"restart", "reload"})
    world = set_faults(world, dead, ground.failing)
    carriers = [Carrier(world, n, behaviour) for n, behaviour in enumerate(trial.carriers, 1)]
    dial(phone, dead)
    assert not any(carrier.actor.inbox for carrier in carriers)
    assert statuses(phone) == [403]
