"""Notices posted as JSON to the operator's own system, signed.

`Vigie-Signature: t=UNIX_TIME,v1=HEX`, where HEX is HMAC-SHA256 of "UNIX_TIME.BODY" under the shared
secret; the receiver compares it and refuses old times. `Idempotency-Key` stands for the notice: after a
crash the notice in flight may come twice. Runs in a thread of its own (courier.py). Redirects are not
followed: a notice goes where the settings say, or nowhere.
"""

import hashlib
import hmac
import http.client
import time
import urllib.error
import urllib.request
from typing import Final

import orjson

from switch.notice.delivery import Delivery, RefusedError, SendError
from switch.notice.settings import WebhookSettings

CHANNEL: Final = "webhook"

# What a server says that it would also say next time; 408 and 429 ask to come again.
_TEMPORARY: Final = frozenset({408, 425, 429})


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object) -> None:
        """No request follows."""


_OPENER: Final = urllib.request.build_opener(_NoRedirect)


def body_of(delivery: Delivery) -> bytes:
    """What is posted."""
    return orjson.dumps(
        {
            "id": delivery.notice,
            "at": delivery.at,
            "kind": delivery.kind,
            "audience": delivery.audience,
            "line": delivery.line,
            "account": delivery.account,
            "percentage": delivery.percentage,
            "clause": delivery.clause,
            "call_id": delivery.call_id,
            "fields": delivery.fields,
            "subject": delivery.subject,
            "text": delivery.body,
            "sha256": delivery.hash,
        }
    )


def signature(secret: str, at: int, body: bytes) -> str:
    """The value of Vigie-Signature for a body posted at Unix time `at`."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def post(delivery: Delivery, settings: WebhookSettings) -> None:
    """Post the notice and wait for a 2xx. Raises SendError."""
    body = body_of(delivery)
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": hashlib.sha256(delivery.id.encode()).hexdigest()[:32],
        "User-Agent": "Vigie",
        "Vigie-Signature": signature(settings.secret.get_secret_value(), int(time.time()), body),
    }
    request = urllib.request.Request(settings.url, body, headers, method="POST")  # noqa: S310 (the settings allow http and https only)
    try:
        with _OPENER.open(request, timeout=settings.timeout_s) as answer:
            answer.read(1024)
    except urllib.error.HTTPError as error:
        if error.code < 500 and error.code not in _TEMPORARY:
            raise RefusedError(f"HTTP {error.code}") from error
        raise SendError(f"HTTP {error.code}") from error
    except (OSError, http.client.HTTPException) as error:
        raise SendError(str(error) or type(error).__name__) from error
