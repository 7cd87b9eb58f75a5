"""Which of several failures the caller hears (RFC 3261 §16.7 step 6)."""

from collections.abc import Sequence

from switch.call.vocabulary import Fail

# Within a class, a response that tells the caller what to change goes first.
_PREFERRED = (401, 407, 415, 420, 484)


def best_failure(failures: Sequence[Fail]) -> Fail | None:
    """The best of the final failures: 6xx first, then the lowest class; None when there were none.

    Within 4xx a callee's word (486, 404) beats the network's 408.
    """
    if not failures:
        return None

    def rank(fail: Fail) -> tuple[int, int]:
        status = fail.status
        if status >= 600:
            return (0, status)
        if status in _PREFERRED:
            return (status // 100, 0)
        return (status // 100, 2 if status in (408, 487) else 1)

    return min(failures, key=rank)
