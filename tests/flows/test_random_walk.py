"""Random walks over a call: phones and carriers say anything at any time, lose their path, see the switch
killed. Nothing may raise, and nothing may be left when all have hung up.

What they say is well-formed (the parser's tests see to the rest) and mostly wrong for the moment.
"""

from random import Random

import pytest

from switch import config
from switch.sip.build import make_ack_non2xx, make_cancel
from switch.sip.message import Request, Response
from tests.flows.actors import Actor, Talk, World, sdp

STATUSES = (
    100,
    180,
    183,
    183,
    200,
    200,
    200,
    302,
    401,
    404,
    407,
    408,
    420,
    422,
    481,
    486,
    491,
    503,
    603,
)
IN_DIALOG = (200, 200, 200, 407, 408, 481, 488, 491, 500)
METHODS = ("BYE", "UPDATE", "INVITE", "INVITE", "INFO", "OPTIONS", "PRACK", "REFER", "ACK")
SAID_FIRST: tuple[tuple[tuple[str, str], ...], ...] = (
    (),
    (("Supported", "100rel, timer"),),
    (("Require", "100rel"),),
    (("Supported", "timer"), ("Session-Expires", "90;refresher=uac"), ("Allow", "UPDATE")),
)
SAID_WITH: dict[int, tuple[tuple[str, str], ...]] = {
    302: (("Contact", "<sip:x@127.0.1.1>"),),
    401: (("WWW-Authenticate", 'Digest realm="x",nonce="y"'),),
    407: (("Proxy-Authenticate", 'Digest realm="x",nonce="y"'),),
    422: (("Min-SE", "2000"),),
}
# number, who calls, how many phones the called line has
CALLS = (("102", 0, 1), ("102", 0, 2), ("0145678901", 0, 1), ("18", 0, 1), ("+33199000101", 2, 1))


class Walk:
    """One call and its actors; `todo` is what waits for an answer, an ACK or a PRACK."""

    def __init__(self, world: World, chance: Random) -> None:
        self.world = world
        self.chance = chance
        self.todo: list[tuple[Actor, Request | tuple[Talk, Response]]] = []
        self.versions = 1
        a, b, c = world.phone("101"), world.phone("102"), world.carrier(1)
        self.actors = [a, b, c, world.carrier(2)]
        number, caller, phones = chance.choice(CALLS)
        if phones > 1:
            self.actors.append(world.phone("102"))
        first = self.actors[caller]
        body = chance.choice([None, None, b""])
        call = first.call(number, *chance.choice(SAID_FIRST), body=body)
        self.talks: list[Talk] = [call]
        self.invites = {(call.call_id, call.invite.cseq.number): call.invite}

    def body(self) -> bytes:
        """None, one that is new, or the same again."""
        self.versions += 1
        direction = self.chance.choice(["sendrecv", "sendonly", "inactive"])
        return self.chance.choice([b"", sdp("x", self.versions, direction), sdp("x")])

    def look(self) -> None:
        """Take what came: most of it will be answered, some time."""
        for actor in self.actors:
            for message in actor.inbox:
                if isinstance(message, Response):
                    self.take_response(actor, message)
                    continue
                if message.method == "INVITE" and not message.to_tag:
                    self.talks.append(Talk(actor, message, is_caller=False))
                if message.method != "ACK":
                    self.todo.append((actor, message))
            actor.inbox.clear()

    def take_response(self, actor: Actor, response: Response) -> None:
        invite = self.invites.get((response.call_id, response.cseq.number))
        talk = next(
            (t for t in self.talks if (t.actor, t.call_id) == (actor, response.call_id)), None
        )
        if talk is None or invite is None or response.cseq.method != "INVITE":
            return
        if talk.is_caller and response.to_tag and response.status < 300:
            talk.remote = response.get("To")
        if response.status >= 300:
            actor.put(make_ack_non2xx(invite, response))
        elif response.status >= 200 or response.has("RSeq"):
            self.todo.append((actor, (talk, response)))

    def answer(self) -> None:
        if not self.todo:
            return
        actor, waiting = self.todo.pop(self.chance.randrange(len(self.todo)))
        if isinstance(waiting, tuple):
            talk, response = waiting
            number = response.cseq.number
            if response.status >= 200:
                talk.send("ACK", body=self.body(), cseq=number)
            else:
                talk.send("PRACK", ("RAck", f"{response.get('RSeq')} {number} INVITE"))
        elif waiting.method != "INVITE":
            status = self.chance.choice(IN_DIALOG)
            has_body = status == 200 and waiting.method in ("UPDATE", "PRACK")
            actor.reply(waiting, status, body=self.body() if has_body else b"")
        else:
            self.answer_invite(actor, waiting)

    def answer_invite(self, actor: Actor, invite: Request) -> None:
        status = self.chance.choice(STATUSES)
        fields = SAID_WITH.get(status, ())
        if status in (180, 183) and self.chance.random() < 0.4:
            fields = (("Require", "100rel"), ("RSeq", str(self.chance.randint(1, 3))))
        body = self.body() if status in (180, 183, 200) else b""
        own = next((t.tag for t in self.talks if t.call_id == invite.call_id), "z")
        actor.reply(invite, status, *fields, tag=self.chance.choice([own, own, "fork"]), body=body)
        if status < 200 or self.chance.random() < 0.1:
            self.todo.append((actor, invite))

    def speak(self) -> None:
        talk, method = self.chance.choice(self.talks), self.chance.choice(METHODS)
        if method == "INVITE" and ";tag=" not in (talk.remote or ""):
            return  # it would be another call, that nobody here hangs up
        body = self.body() if method in ("UPDATE", "INVITE", "PRACK", "ACK") else b""
        fields = [("RAck", "1 1 INVITE")] if method == "PRACK" else []
        number = talk.invite.cseq.number if method == "ACK" else 0
        request = talk.send(method, *fields, body=body, cseq=number)
        if method == "INVITE":
            self.invites[request.call_id, request.cseq.number] = request

    def cancel(self) -> None:
        invite = self.chance.choice(list(self.invites.values()))
        talk = next(talk for talk in self.talks if talk.call_id == invite.call_id)
        talk.actor.put(make_cancel(invite))

    def lose(self) -> None:
        self.world.lose_flow(self.chance.choice(self.actors))

    def wait(self) -> None:
        self.world.after(self.chance.choice([0.1, 0.6, 2, 9, 35, 100, 900]))

    def kill(self) -> None:
        if self.chance.random() < 0.2:
            self.world = self.world.restarted()

    def run(self) -> None:
        steps = (
            self.answer,
            self.answer,
            self.answer,
            self.speak,
            self.cancel,
            self.lose,
            self.wait,
            self.kill,
        )
        for _ in range(self.chance.randint(3, 25)):
            self.look()
            self.chance.choice(steps)()
        self.look()
        for _ in range(2):
            self.world.after(200)
            for talk in self.talks:
                talk.send("BYE")
        self.world.after(4000)  # a refresh that nobody answers ends what nobody hung up
        self.world.assert_idle()


@pytest.mark.parametrize("start", range(0, 400, 100))
def test_nothing_is_left(demo: config.Configuration, start: int) -> None:
    for seed in range(start, start + 100):
        walk(demo, seed)


@pytest.mark.full
def test_nothing_is_left_after_long_walks(demo: config.Configuration) -> None:
    for seed in range(1000, 21_000):
        walk(demo, seed)


def walk(demo: config.Configuration, seed: int) -> None:
    try:
        Walk(World(demo), Random(seed)).run()
    except Exception as error:
        error.add_note(f"walk {seed}")
        raise
