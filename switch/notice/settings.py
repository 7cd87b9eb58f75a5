"""[notice]: by which ways people are told, and who the operator's people are.

Customers' addresses stand with their account, sites' contacts with their site. Deliberately absent:
texts (texts.toml), which are the product's and not the installation's.
"""

from typing import Literal

from pydantic import Field

from switch.settings import MailAddress, Secret, Section


class SmtpSettings(Section):
    """The mail server that notices are handed to (RFC 6409). `tls`: "starttls" upgrades or fails,
    "tls" is encrypted from the first byte (port 465), "none" is for a server on this machine."""

    host: str = Field(min_length=1)
    port: int = Field(default=587, ge=1, le=65535)
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    secret: Secret | None = None
    sender: MailAddress
    timeout_s: float = Field(default=10, gt=0, le=120)


class WebhookSettings(Section):
    """Where notices are posted as JSON. `secret` signs them (HMAC-SHA256 over time and body)."""

    url: str = Field(pattern=r"^https?://[^\s]+$")
    secret: Secret
    audiences: tuple[Literal["customer", "operator", "site"], ...] = (
        "customer",
        "operator",
        "site",
    )
    timeout_s: float = Field(default=10, gt=0, le=120)


class NoticeSettings(Section):
    """Mail where `smtp` and an address are known, the webhook for its audiences, and the file outbox
    for whatever neither takes (`outbox` = "always": for everything)."""

    operator: tuple[MailAddress, ...] = ()
    outbox: Literal["otherwise", "always"] = "otherwise"
    smtp: SmtpSettings | None = None
    webhook: WebhookSettings | None = None
