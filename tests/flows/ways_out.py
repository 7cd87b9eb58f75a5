"""What the flows of emergency routes share: a switch with changed carriers, and how carriers answer."""

from pathlib import Path

from switch import config
from tests.flows.actors import DEMO, Actor, Talk, World, sdp

FIRST = 'profile = "A"'  # the first carrier's, in the demo's settings


def changed(tmp_path: Path, *changes: tuple[str, str], more: str = "") -> World:
    """A switch of the demo's settings with these changes."""
    text = (DEMO / "vigie.toml").read_text("utf-8")
    text = text.replace('dialplan = "../..', f'dialplan = "{DEMO.parents[1]}')
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    (tmp_path / "vigie.toml").write_text(text + more, "utf-8")
    (tmp_path / "networks.csv").write_bytes((DEMO / "networks.csv").read_bytes())
    return World(config.load(tmp_path))


def up(caller: Talk, callee: Talk) -> None:
    """The centre answers, both sides acknowledge."""
    callee.answer(200, body=sdp("psap"))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()


def refuse(carrier: Actor, status: int) -> str:
    """Refuse the INVITE that came; its Request-URI."""
    callee = carrier.called()
    callee.answer(status)
    carrier.expect("ACK")
    return callee.invite.uri
