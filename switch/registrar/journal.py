"""Bindings as journal records, so that they survive the process: one orjson object a line.

{"k": "bind", ...} holds a whole binding and replaces an earlier one; {"k": "unbind", "aor",
"contact"} ends it. Expiry is UTC and coarse: later than the real one, so that not every refresh is
written.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from switch.registrar.binding import Binding
from switch.sip.flow import Flow
from switch.sip.uri import Uri

BIND = "bind"
UNBIND = "unbind"

# How much later than the real expiry the journal may have it; never more than the lifetime itself.
_SLACK_S = 600.0


def coarse_expiry(expires_wall: float, lifetime_s: float) -> float:
    """The expiry to write for a binding that really ends at `expires_wall` (UTC seconds)."""
    return expires_wall + min(_SLACK_S, lifetime_s)


def bind_record(binding: Binding) -> bytes:
    """The record of a new or changed binding."""
    return orjson.dumps(
        {
            "k": BIND,
            "aor": binding.aor,
            "contact": str(binding.contact),
            "flow": tuple(binding.flow),  # orjson knows tuples, not named ones
            "path": binding.path,
            "instance": binding.instance,
            "reg_id": binding.reg_id,
            "q": binding.q,
            "expires": binding.journalled_until,
            "call_id": binding.call_id,
            "cseq": binding.cseq,
            "ua": binding.user_agent,
            "origin": None if binding.origin == binding.flow else tuple(binding.origin),
            "text": binding.text,
        }
    )


def unbind_record(binding: Binding) -> bytes:
    """The record of a binding's end."""
    return orjson.dumps({"k": UNBIND, "aor": binding.aor, "contact": str(binding.contact)})


def read_binding(record: Mapping[str, Any], now: float, wall: float) -> Binding:
    """The binding of a "bind" record, at boottime `now` and UTC `wall`.

    A connection died with the process that had it; UDP lives on, and so does the way to a proxy.
    """
    flow, origin = _flow(record["flow"]), record["origin"]
    until = float(record["expires"])
    return Binding(
        aor=record["aor"],
        contact=Uri.parse(record["contact"]),
        flow=flow,
        path=tuple(record["path"]),
        instance=record["instance"],
        reg_id=record["reg_id"],
        q=record["q"],
        expires_at=now + until - wall,
        updated_at=now,
        journalled_until=until,
        call_id=record["call_id"],
        cseq=record["cseq"],
        user_agent=record["ua"],
        origin=_flow(origin) if origin else flow,
        text=record["text"],
        is_live=not flow.connection,
    )


def _flow(parts: Sequence[Any]) -> Flow:
    transport, local, remote, connection = parts
    return Flow(transport, (local[0], local[1]), (remote[0], remote[1]), connection)
