"""The states of an update as a table: (state, event) -> (next state, what to do).

An event in no row is a mistake of the caller (`IllegalUpdateEventError`), save those in `ABSORBED`:
what a driver still says of work that was given up meanwhile.
"""

from enum import Enum, auto

from firmware_agent.messages.reported import UpdateState as S


class UpdateEvent(Enum):
    """What can happen to an update."""

    OFFER = auto()
    """Another image is desired than runs, or than was tried."""
    WITHDRAWN = auto()
    """What runs is what is desired."""
    META_GOOD = auto()
    META_BAD = auto()
    """Wrongly signed, another hash than desired, for another model."""
    META_LATER = auto()
    """Not reachable, or expired at trusted time: asked again later."""
    DOWNGRADE = auto()
    PROGRESS = auto()
    INTERRUPTED = auto()
    RETRY = auto()
    """The pause after META_LATER or INTERRUPTED is over."""
    DOWNLOADED = auto()
    WRONG_HASH = auto()
    """The first time: all is fetched again."""
    WRONG_HASH_AGAIN = auto()
    WRITING = auto()
    INSTALLED = auto()
    INSTALL_FAILED = auto()
    MAY_REBOOT = auto()
    BOOTED_TRIAL = auto()
    BOOTED_NEW = auto()
    """The new image runs and is the good one."""
    BOOTED_OLD = auto()
    """The old image runs, and no trial was given up."""
    FELL_BACK = auto()
    """The old image runs: the boot loader gave the trial up."""
    HEALTHY = auto()
    """MQTT is connected, SIP registered, the audio self-test passed."""
    TRIAL_OVER = auto()
    """Time is up and it isn't healthy."""


class Do(Enum):
    """What a row asks for."""

    NOTHING = auto()
    FETCH_METADATA = auto()
    DOWNLOAD = auto()
    DOWNLOAD_ANEW = auto()
    INSTALL = auto()
    REBOOT_INTO_TRIAL = auto()
    CONFIRM = auto()
    ROLL_BACK = auto()
    DISCARD = auto()
    SELF_TEST = auto()


E = UpdateEvent
Row = tuple[S, Do]

ENDED = frozenset({S.IDLE, S.CONFIRMED, S.REJECTED, S.FAILED, S.ROLLED_BACK})
"""No update is under way."""
BEFORE_REBOOT = (
    S.OFFERED,
    S.META_VERIFIED,
    S.DOWNLOADING,
    S.SUSPENDED,
    S.VERIFIED,
    S.INSTALLING,
    S.WAIT_WINDOW,
)
"""Another offer may still take the place of this one."""

TABLE: dict[tuple[S, E], Row] = {
    (S.OFFERED, E.META_GOOD): (S.META_VERIFIED, Do.DOWNLOAD),
    (S.OFFERED, E.META_BAD): (S.REJECTED, Do.DISCARD),
    (S.OFFERED, E.DOWNGRADE): (S.REJECTED, Do.DISCARD),
    (S.OFFERED, E.META_LATER): (S.OFFERED, Do.NOTHING),
    (S.OFFERED, E.RETRY): (S.OFFERED, Do.FETCH_METADATA),
    (S.META_VERIFIED, E.PROGRESS): (S.DOWNLOADING, Do.NOTHING),
    (S.META_VERIFIED, E.INTERRUPTED): (S.SUSPENDED, Do.NOTHING),
    (S.META_VERIFIED, E.DOWNLOADED): (S.VERIFIED, Do.INSTALL),
    (S.META_VERIFIED, E.WRONG_HASH): (S.DOWNLOADING, Do.DOWNLOAD_ANEW),
    (S.META_VERIFIED, E.WRONG_HASH_AGAIN): (S.REJECTED, Do.DISCARD),
    (S.DOWNLOADING, E.PROGRESS): (S.DOWNLOADING, Do.NOTHING),
    (S.DOWNLOADING, E.INTERRUPTED): (S.SUSPENDED, Do.NOTHING),
    (S.DOWNLOADING, E.DOWNLOADED): (S.VERIFIED, Do.INSTALL),
    (S.DOWNLOADING, E.WRONG_HASH): (S.DOWNLOADING, Do.DOWNLOAD_ANEW),
    (S.DOWNLOADING, E.WRONG_HASH_AGAIN): (S.REJECTED, Do.DISCARD),
    # The metadata is read again: weeks may have passed, and the target may be gone.
    (S.SUSPENDED, E.RETRY): (S.OFFERED, Do.FETCH_METADATA),
    (S.VERIFIED, E.WRITING): (S.INSTALLING, Do.NOTHING),
    (S.VERIFIED, E.INSTALLED): (S.WAIT_WINDOW, Do.NOTHING),
    (S.VERIFIED, E.INSTALL_FAILED): (S.FAILED, Do.DISCARD),
    (S.VERIFIED, E.DOWNGRADE): (S.REJECTED, Do.DISCARD),
    (S.INSTALLING, E.INSTALLED): (S.WAIT_WINDOW, Do.NOTHING),
    (S.INSTALLING, E.INSTALL_FAILED): (S.FAILED, Do.DISCARD),
    (S.INSTALLING, E.DOWNGRADE): (S.REJECTED, Do.DISCARD),
    (S.WAIT_WINDOW, E.MAY_REBOOT): (S.REBOOTING, Do.REBOOT_INTO_TRIAL),
    (S.WAIT_WINDOW, E.DOWNGRADE): (S.REJECTED, Do.DISCARD),  # the floor rose meanwhile
    (S.WAIT_WINDOW, E.BOOTED_OLD): (S.WAIT_WINDOW, Do.NOTHING),  # the installed slot keeps
    (S.REBOOTING, E.BOOTED_TRIAL): (S.TRIAL, Do.SELF_TEST),
    (S.REBOOTING, E.BOOTED_NEW): (S.CONFIRMED, Do.DISCARD),
    (S.REBOOTING, E.BOOTED_OLD): (S.WAIT_WINDOW, Do.NOTHING),  # the power went before the boot flag
    (S.REBOOTING, E.FELL_BACK): (S.ROLLED_BACK, Do.DISCARD),
    (S.TRIAL, E.HEALTHY): (S.CONFIRMED, Do.CONFIRM),
    (S.TRIAL, E.TRIAL_OVER): (S.ROLLING_BACK, Do.ROLL_BACK),
    (S.TRIAL, E.BOOTED_TRIAL): (S.TRIAL, Do.SELF_TEST),
    (S.TRIAL, E.BOOTED_NEW): (S.CONFIRMED, Do.DISCARD),  # the power went after the boot flag
    (S.TRIAL, E.BOOTED_OLD): (S.ROLLED_BACK, Do.DISCARD),
    (S.TRIAL, E.FELL_BACK): (S.ROLLED_BACK, Do.DISCARD),
    (S.ROLLING_BACK, E.BOOTED_OLD): (S.ROLLED_BACK, Do.DISCARD),
    (S.ROLLING_BACK, E.FELL_BACK): (S.ROLLED_BACK, Do.DISCARD),
    (S.ROLLING_BACK, E.BOOTED_TRIAL): (S.ROLLING_BACK, Do.ROLL_BACK),  # power cut before the flag
}
for _state in ENDED:
    TABLE[_state, E.OFFER] = (S.OFFERED, Do.FETCH_METADATA)
    TABLE[_state, E.BOOTED_OLD] = (_state, Do.NOTHING)
    TABLE[_state, E.BOOTED_NEW] = (_state, Do.NOTHING)
    TABLE[_state, E.FELL_BACK] = (_state, Do.NOTHING)
    TABLE[_state, E.WITHDRAWN] = (_state, Do.NOTHING)
# The power went between what is kept and the boot flag: it was healthy, and is confirmed again.
TABLE[S.CONFIRMED, E.BOOTED_TRIAL] = (S.CONFIRMED, Do.CONFIRM)
for _state in BEFORE_REBOOT:
    TABLE[_state, E.OFFER] = (S.OFFERED, Do.FETCH_METADATA)
    TABLE[_state, E.WITHDRAWN] = (S.IDLE, Do.DISCARD)
for _state in (S.OFFERED, S.META_VERIFIED, S.DOWNLOADING, S.SUSPENDED, S.VERIFIED, S.INSTALLING):
    # What was fetched is found again by its fsynced offset and hash.
    TABLE[_state, E.BOOTED_OLD] = (S.SUSPENDED, Do.NOTHING)

ABSORBED = frozenset(
    {
        E.META_GOOD,
        E.META_BAD,
        E.META_LATER,
        E.DOWNGRADE,
        E.PROGRESS,
        E.INTERRUPTED,
        E.DOWNLOADED,
        E.WRONG_HASH,
        E.WRONG_HASH_AGAIN,
        E.WRITING,
        E.INSTALLED,
        E.INSTALL_FAILED,
    }
)
"""Told by work that runs beside the machine; it may come after a withdrawal or another offer."""


class IllegalUpdateEventError(Exception):
    """An event that no row knows and that no work beside the machine can cause."""


def step(state: S, event: E) -> Row | None:
    """The row, or None for an event that is absorbed. Raises IllegalUpdateEventError."""
    row = TABLE.get((state, event))
    if row is None and event not in ABSORBED:
        raise IllegalUpdateEventError(f"{event.name} in {state.name}")
    return row
