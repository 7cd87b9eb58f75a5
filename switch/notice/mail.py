"""Notices by mail: one message a notice, handed to the mail server that the settings name (RFC 6409).

The Message-ID is made of the notice's id: should a crash make us hand the same notice in twice, mail
programs show it once. Runs in a thread of its own (courier.py), with a loop of its own, because a name
server that doesn't answer must not hold the switch's.
"""

import asyncio
import hashlib
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

import aiosmtplib

from switch.notice.delivery import Delivery, RefusedError, SendError
from switch.notice.settings import SmtpSettings

CHANNEL: Final = "mail"


def message(delivery: Delivery, sender: str) -> EmailMessage:
    """The mail of a notice."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = ", ".join(delivery.to)
    mail["Subject"] = delivery.subject
    mail["Date"] = format_datetime(datetime.fromtimestamp(delivery.at / 1000, UTC))
    digest = hashlib.sha256(delivery.id.encode()).hexdigest()[:32]
    mail["Message-ID"] = f"<{digest}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office replies
    mail.set_content(delivery.body)
    return mail


def send(delivery: Delivery, settings: SmtpSettings) -> None:
    """Hand the notice to the server and wait for its word. Raises SendError."""
    asyncio.run(_send(delivery, settings))


async def _send(delivery: Delivery, settings: SmtpSettings) -> None:
    secret = settings.secret
    try:
        refused, _ = await aiosmtplib.send(
            message(delivery, settings.sender),
            hostname=settings.host,
            port=settings.port,
            use_tls=settings.tls == "tls",
            start_tls=settings.tls == "starttls",
            username=settings.user or None,
            password=secret.get_secret_value() if secret else None,
            timeout=settings.timeout_s,
        )
    except aiosmtplib.SMTPRecipientsRefused as error:
        for_good = all(each.code >= 500 for each in error.recipients)
        if for_good:
            raise RefusedError(_codes(error), bounced=True) from error
        raise SendError(_codes(error)) from error
    except aiosmtplib.SMTPAuthenticationError as error:
        raise SendError(f"the mail server refuses our login ({error.code})") from error
    except aiosmtplib.SMTPResponseException as error:
        if error.code >= 500:
            raise RefusedError(f"{error.code} {error.message}") from error
        raise SendError(f"{error.code} {error.message}") from error
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise SendError(str(error) or type(error).__name__) from error
    if refused:  # the others have it: trying again would tell them twice
        delivery.reason = f"refused for {', '.join(sorted(refused))}"


def _codes(error: aiosmtplib.SMTPRecipientsRefused) -> str:
    return "; ".join(f"{each.code} {each.message}" for each in error.recipients)
