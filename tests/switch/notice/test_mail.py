"""Notices reach a mail server that is not ours (aiosmtpd), and its refusals are told apart."""

import email
import socket
from collections.abc import Callable, Iterator
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from switch.notice import mail
from switch.notice.delivery import Delivery, RefusedError, SendError
from switch.notice.settings import SmtpSettings

Build = Callable[..., Delivery]


class Mailbox:
    """What the server is given; `refuse` maps addresses to the reply they get."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.envelopes: list[Any] = []
        self.refuse: dict[str, str] = {}
        self.data_reply = "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802  # fmt: skip
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.data_reply.startswith("250"):
            self.mails.append(email.message_from_bytes(envelope.content, policy=default))
            self.envelopes.append(envelope)
        return self.data_reply


@pytest.fixture
def box() -> Mailbox:
    return Mailbox()


def started(box: Mailbox, **options: Any) -> Controller:
    controller = Controller(box, hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    return controller


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server(box: Mailbox) -> Iterator[Controller]:
    controller = started(box)
    yield controller
    controller.stop()


def settings(port: int, **fields: Any) -> SmtpSettings:
    found = {"host": "127.0.0.1", "port": port, "tls": "none", "sender": "vigie@example.test"}
    return SmtpSettings.model_validate({**found, **fields})


def test_a_notice_arrives_as_it_was_worded(
    box: Mailbox, server: Controller, delivery: Build
) -> None:
    mail.send(delivery(), settings(server.port))
    (got,) = box.mails
    assert got["Subject"] == "Appel d'urgence 18 / Emergency call 18"
    assert got["To"] == "accueil@example.test, securite@example.test"
    assert got["Auto-Submitted"] == "auto-generated"
    assert got.get_content().replace("\r\n", "\n") == "Lieu : 2e étage\n"
    assert box.envelopes[0].rcpt_tos == ["accueil@example.test", "securite@example.test"]


def test_sending_again_repeats_the_message_id(
    box: Mailbox, server: Controller, delivery: Build
) -> None:
    mail.send(delivery(), settings(server.port))
    mail.send(delivery(), settings(server.port))
    mail.send(delivery(notice="another"), settings(server.port))
    first, second, other = (got["Message-ID"] for got in box.mails)
    assert first == second != other


def test_an_address_that_does_not_exist_bounces(
    box: Mailbox, server: Controller, delivery: Build
) -> None:
    box.refuse = {"accueil@example.test": "550 5.1.1 no such user"}
    with pytest.raises(RefusedError, match="550") as caught:
        mail.send(delivery(to=("accueil@example.test",)), settings(server.port))
    assert caught.value.bounced
    partly = delivery()
    mail.send(partly, settings(server.port))
    assert partly.reason == "refused for accueil@example.test"
    assert box.envelopes[-1].rcpt_tos == ["securite@example.test"]


@pytest.mark.parametrize(
    ("rcpt", "data", "is_final"),
    [("451 try later", "250 OK", False), ("", "452 full", False), ("", "554 spam", True)],
)
def test_a_reply_of_4xx_is_tried_again_and_5xx_is_not(
    box: Mailbox, server: Controller, delivery: Build, rcpt: str, data: str, is_final: bool
) -> None:
    box.data_reply = data
    if rcpt:
        box.refuse = dict.fromkeys(delivery().to, rcpt)
    with pytest.raises(SendError) as caught:
        mail.send(delivery(), settings(server.port))
    assert isinstance(caught.value, RefusedError) == is_final
    assert not getattr(caught.value, "bounced", False)


def test_a_server_that_is_not_there_is_tried_again(delivery: Build) -> None:
    with pytest.raises(SendError) as caught:
        mail.send(delivery(), settings(free_port()))
    assert not isinstance(caught.value, RefusedError)


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # on the loopback there is nothing to protect
def test_the_log_in_is_used_and_its_secret_is_never_shown(box: Mailbox, delivery: Build) -> None:
    seen: list[LoginPassword] = []

    def check(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        seen.append(given)
        return AuthResult(success=given.password == b"not-a-real-secret", handled=False)

    controller = started(box, authenticator=check, auth_required=True, auth_require_tls=False)
    try:
        right = settings(controller.port, user="vigie", secret="not-a-real-secret")
        mail.send(delivery(), right)
        wrong = settings(controller.port, user="vigie", secret="another-not-real")
        with pytest.raises(SendError, match="login") as caught:
            mail.send(delivery(), wrong)
    finally:
        controller.stop()
    assert {given.login for given in seen} == {b"vigie"}
    assert len(box.mails) == 1
    assert "another-not-real" not in f"{caught.value} {wrong!r}"


def test_starttls_is_not_given_up_where_the_server_lacks_it(
    box: Mailbox, server: Controller, delivery: Build
) -> None:
    with pytest.raises(SendError):
        mail.send(delivery(), settings(server.port, tls="starttls"))
    assert box.mails == []
