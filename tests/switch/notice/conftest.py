"""A notice to send."""

from collections.abc import Callable
from typing import Any

import pytest

from switch.notice.delivery import Delivery


@pytest.fixture
def delivery() -> Callable[..., Delivery]:
    def build(**fields: Any) -> Delivery:
        made = Delivery(
            **{
                "notice": "emergency_call c1",
                "channel": "mail",
                "at": 1_700_000_000_000,
                "changed_at": 1_700_000_000_000,
                "kind": "emergency_call",
                "audience": "site",
                "line": "101",
                "account": "demo",
                "call_id": "c1",
                "to": ("accueil@example.test", "securite@example.test"),
                "subject": "Appel d'urgence 18 / Emergency call 18",
                "body": "Lieu : 2e étage\n",
                "fields": {"dialled": "18"},
                **fields,
            }
        )
        made.seal()
        return made

    return build
