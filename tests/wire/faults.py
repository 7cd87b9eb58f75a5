"""What can be broken around a running switch: the faults of the emergency table.

Each is a context that holds while emergency calls are placed in a `Scene`, and undoes itself; what they do
stands in broken_files, broken_processes, broken_trunks and loads. Deliberately absent: the death of the
switch itself (tests/flows/test_crash.py, tests/wire/test_lost_files.py).
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from tests.wire.broken_files import (
    database_locked,
    database_removed,
    database_replaced,
    journal_gone,
    log_unread,
    no_file_can_grow,
)
from tests.wire.broken_processes import (
    broker_hung,
    broker_killed,
    busy_machine,
    hang_workers,
    kill_broker,
    kill_workers,
    stop_workers,
    workers_hung,
)
from tests.wire.broken_trunks import (
    first_trunk,
    first_trunk_is_tcp,
    heal,
    name_never_resolved,
    name_server_dies,
    tcp_takes_no_connection,
)
from tests.wire.far_end import Conduct
from tests.wire.loads import (
    draining,
    full_of_calls,
    overload,
    overload_of_strangers,
    reloading,
)
from tests.wire.scene import ABROAD, Scene

Cause = Callable[[Scene], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One row. `before_each` is done before every call; `most` limits the calls of slow rows, of which
    each must prove itself by waiting. Limits in seconds; `first_s` None: no trunk is tried at once,
    since a warning comes first."""

    name: str
    cause: Cause
    line: str = "101"
    host: str = "127.0.0.1"
    first_s: float | None = 0.2
    working_s: float = 2.5
    most: int = 1000
    before_each: Callable[[Scene], None] = lambda scene: None


@contextmanager
def nothing(scene: Scene) -> Iterator[None]:
    yield


FAULTS = (
    Fault("none", nothing),
    Fault("database file removed", database_removed),
    Fault("database file replaced by another", database_replaced),
    Fault("database locked by another process", database_locked),
    Fault("disk full: no file can be written", no_file_can_grow),
    Fault("journal directory replaced by a file", journal_gone),
    Fault("log not read, its pipe full", log_unread),
    Fault("MQTT broker killed", broker_killed, before_each=kill_broker),
    Fault("MQTT broker hung", broker_hung),
    Fault("all media workers killed", nothing, before_each=kill_workers),
    Fault("all media workers killed, caller abroad", nothing, "103", ABROAD, before_each=kill_workers),
    Fault("all media workers hung", workers_hung, before_each=stop_workers),
    Fault(
        "all media workers hung, caller abroad", workers_hung, "103", ABROAD, None,
        before_each=hang_workers, most=3,
    ),
    Fault("name server never answers, trunk 1 has a name", name_never_resolved),
    Fault("name server falls silent, trunk 1 has a name", name_server_dies),
    Fault("reload all the time, half of them broken", reloading),
    Fault("drain in progress", draining),
    Fault("switch full (max_calls)", full_of_calls),
    Fault("overload", overload),
    Fault("overload by strangers' calls for help", overload_of_strangers),
    Fault("machine busy: two hogs a core", busy_machine),
    Fault("line suspended", nothing, "105"),
    Fault("line unpaid", nothing, "108"),
    Fault("line without an address", nothing, "107"),
    Fault("trunk 1 dead (ICMP)", first_trunk(Conduct.CLOSED), before_each=heal),
    Fault("trunk 1 answers 503", first_trunk(Conduct.UNAVAILABLE), before_each=heal),
    Fault("trunk 1 silent", first_trunk(Conduct.SILENT), before_each=heal, most=5),
    Fault(
        "trunk 1 says 100 and no more", first_trunk(Conduct.TRYING_ONLY), before_each=heal,
        working_s=8.5, most=3,
    ),
    Fault("trunk 1 refuses TCP", first_trunk_is_tcp, before_each=heal),
    Fault("trunk 1 takes no TCP connection", tcp_takes_no_connection, most=5),
)  # fmt: skip
