"""[http] and [log]: what operators look at."""

from typing import Literal

from switch.settings import ListenAddress, Section


class HttpSettings(Section):
    """[http]: the status page, /metrics and health. It has no login: listen on a private address."""

    listen: tuple[ListenAddress, ...] = ()


class LogSettings(Section):
    """[log]: JSON on stderr, from this level up."""

    level: Literal["debug", "info", "warning", "error"] = "info"
