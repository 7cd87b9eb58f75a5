"""[notice]: what is wrong is found when the configuration is loaded, and secrets stay out of sight."""

from typing import Any

import pytest
from pydantic import ValidationError

from switch.notice.settings import NoticeSettings

SMTP = {"host": "smtp.example.test", "sender": "vigie@example.test"}
WEBHOOK = {"url": "https://hooks.example.test/vigie", "secret": "not-a-real-secret"}


def test_without_a_word_everything_goes_to_the_outbox() -> None:
    settings = NoticeSettings()
    assert (settings.smtp, settings.webhook, settings.operator) == (None, None, ())
    assert settings.outbox == "otherwise"


def test_mail_is_encrypted_unless_told_otherwise() -> None:
    settings = NoticeSettings.model_validate({"smtp": SMTP}).smtp
    assert settings is not None
    assert (settings.tls, settings.port) == ("starttls", 587)


@pytest.mark.parametrize(
    "wrong",
    [
        {"operator": ["Exploitation <noc@example.test>"]},
        {"operator": ["noc"]},
        {"operator": ["noc@example.test\r\nBcc: all@example.test"]},
        {"smtp": {**SMTP, "tls": "maybe"}},
        {"smtp": {**SMTP, "password": "misspelt key"}},
        {"smtp": {"host": "smtp.example.test"}},
        {"webhook": {**WEBHOOK, "url": "file:///etc/passwd"}},
        {"webhook": {"url": "https://hooks.example.test"}},
        {"webhook": {**WEBHOOK, "audiences": ["everybody"]}},
        {"outbox": "never"},
    ],
)
def test_what_is_wrong_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        NoticeSettings.model_validate(wrong)


def test_secrets_come_from_elsewhere_and_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_SECRET", "not-a-real-secret")
    settings = NoticeSettings.model_validate({"smtp": {**SMTP, "secret": "env:MAIL_SECRET"}})
    assert settings.smtp is not None
    assert settings.smtp.secret is not None
    assert settings.smtp.secret.get_secret_value() == "not-a-real-secret"
    assert "not-a-real-secret" not in repr(settings)
