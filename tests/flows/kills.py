"""kill -9 at every instant of a call: between two wake-ups, and within the write of one.

A story is told again and again, each time cut one journal record later. What the wake-up in hand had
not written is lost, with all of its datagrams; the next start gets the rest, and everybody behaves as a
phone or a carrier would that heard what it heard and nothing else.
"""

from collections import defaultdict
from collections.abc import Callable

from switch import config
from switch.call.state import CallState
from switch.sip.build import make_response
from switch.sip.message import Request, Response
from tests.flows.actors import Actor, World, sdp

Story = Callable[[World], object]


class Killed(Exception):
    """The process is gone."""


class Mortal(World):
    """A switch that is killed once so many records are written; None = never."""

    lives: int | None = None

    def pump(self) -> None:
        outbox = self.exchange.outbox
        if self.lives is not None:
            left = self.lives - len(self.journal)
            if left < len(outbox.journal) or (left == len(outbox.journal) and outbox.datagrams):
                self.journal += outbox.journal[:left]
                raise Killed
        super().pump()


class Peer:
    """What an actor does by itself: it answers everything, a CANCEL as it should."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor

    def turn(self) -> None:
        """Read and answer what came."""
        while self.actor.inbox:
            message = self.actor.inbox.pop(0)
            if isinstance(message, Request) and message.method != "ACK":
                self._answer(message)

    def _answer(self, request: Request) -> None:
        actor = self.actor
        if request.method != "INVITE":
            actor.reply(request, 200)
        elif request.to_tag:
            actor.reply(request, 200, body=sdp(actor.name))
        else:
            self._ring(request)
        if request.method == "CANCEL" and request.call_id in open_dialogs(actor):
            invites = [m for _, m in actor.record if isinstance(m, Request)]
            invite = next(
                m for m in invites if m.method == "INVITE" and m.call_id == request.call_id
            )
            actor.put(make_response(invite, 487, to_tag=actor.name))

    def _ring(self, invite: Request) -> None:
        """Ring, or repeat what was answered to the same INVITE."""
        said = [
            message
            for way, message in self.actor.record
            if way == "out" and isinstance(message, Response) and message.status >= 200
            if message.via.branch == invite.via.branch and message.cseq.method == "INVITE"
        ]
        if said:
            self.actor.put(said[-1])
        else:
            self.actor.reply(invite, 180)


def open_dialogs(actor: Actor) -> set[str]:
    """Call-IDs that an actor still rings or talks in, by all that it sent and got."""
    found: set[str] = set()
    for _, message in actor.record:
        method = message.method if isinstance(message, Request) else message.cseq.method
        if isinstance(message, Request) and method == "INVITE":
            found.add(message.call_id)
        elif method == "BYE" or (
            isinstance(message, Response) and method == "INVITE" and message.status >= 300
        ):
            found.discard(message.call_id)
    return found


def answered(cut: World) -> set[str]:
    """Call-IDs of callers whose 200 left the switch and whose call the journal doesn't end. The words
    of a media worker end with it."""
    stopped = {usage["leg"].partition("/")[0] for usage in cut.records("usage") if usage["final"]}
    stopped |= {cdr["call_id"] for cdr in cut.cdrs}
    ended = {call["record"][1] for call in cut.records("call") if call["id"] in stopped}
    records = [each for actor in cut.actors.values() for each in actor.record]
    placed = {
        message.call_id
        for way, message in records
        if way == "out" and isinstance(message, Request)
        if message.method == "INVITE" and not message.to_tag
    }
    taken = {
        message.call_id
        for way, message in records
        if way == "in" and isinstance(message, Response) and b"words" not in message.body
        if message.status == 200 and message.cseq.method == "INVITE"
    }
    return (placed & taken) - ended


def told(demo: config.Configuration, story: Story, lives: int | None) -> World:
    """The world at the end of the story, or where it was cut."""
    world = Mortal(demo)
    world.lives = lives
    try:
        story(world)
    except Killed:
        return world
    except AssertionError:
        # Somebody waited for what the killed process didn't send.
        assert lives is not None
    return world


def survives(demo: config.Configuration, story: Story) -> int:
    """Tell the story with every cut; how many cuts there were."""
    whole = told(demo, story, None)
    total = len(whole.journal)
    _check(whole)
    for lives in range(total + 1):
        cut = told(demo, story, lives)
        last = (cut.journal or [b""])[-1][:60]
        try:
            _check(_lived_on(cut))
        except AssertionError as error:
            raise AssertionError(
                f"killed after record {lives} of {total} {last!r}: {error}"
            ) from error
    return total


def _lived_on(cut: World) -> World:
    """The next start; set-ups end within 5 s, answered calls go on until everybody is hung up."""
    unread = {actor: list(actor.inbox) for actor in cut.actors.values()}
    kept = answered(cut)
    world = cut.restarted()
    peers = [Peer(actor) for actor in world.actors.values()]
    for peer in peers:
        peer.actor.inbox[:0] = unread[peer.actor]
    _pass(world, peers, 5)
    calls = world.exchange.calls.values()
    assert all(call.state is not CallState.TRYING for call in calls), "a set-up goes on"
    assert kept <= {call.record.sip_call_id for call in calls}, "an answered call is lost"
    _pass(world, peers, 35)  # the probes
    for call in list(world.exchange.calls.values()):
        call.hang_up("ok", world.now)
    world.pump()
    _pass(world, peers, 40)
    return world


def _pass(world: World, peers: list[Peer], seconds: int) -> None:
    for _ in range(seconds):
        for peer in peers:
            peer.turn()
        world.after(1)


def _check(world: World) -> None:
    """Nothing is stuck, nothing is counted twice or for nobody."""
    world.assert_idle()
    for actor in world.actors.values():
        assert not open_dialogs(actor), f"{actor.name} is left in a call"
    assert len(world.exchange.meters) == 0, "a leg without a call is metered on"
    cdrs = [(cdr["call_id"], cdr["line"]) for cdr in world.cdrs]
    assert len(cdrs) == len(set(cdrs)), "a CDR is doubled"
    closed: dict[str, list[int]] = defaultdict(list)
    for usage in world.records("usage"):
        closed[usage["leg"]].append(usage["ms"])
    assert all(len(ends) == 1 for ends in closed.values()), "a leg ended twice"
    for cdr in world.cdrs:
        for leg in cdr["legs"]:
            if leg["line"] and not leg["exempt_reason"]:
                assert [leg["counted_ms"]] == closed[leg["leg"]], "CDR and usage differ"
