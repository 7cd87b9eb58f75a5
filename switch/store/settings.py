"""[store]: where rows are kept: a file of this node's own, or a PostgreSQL database of several nodes.
[retention]: how long personal data is kept, by class.
"""

from datetime import date
from typing import Self

from pydantic import Field, model_validator
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from switch.settings import Identifier, Secret, Section


class StoreSettings(Section):
    """`url` is postgresql://user:password@host/database, and without it a file in the data directory.

    `node` names this switch among those that share the database, the same at every start.
    """

    url: Secret | None = None
    node: Identifier | None = None

    @model_validator(mode="after")
    def _names_a_node(self) -> Self:
        if self.url is None:
            return self
        try:
            backend = make_url(self.url.get_secret_value()).get_backend_name()
        except ArgumentError:
            raise ValueError("the url is no database URL (postgresql://host/database)") from None
        if backend != "postgresql":
            raise ValueError("the url names no PostgreSQL database (postgresql://host/database)")
        if self.node is None:
            raise ValueError("a shared database needs a node: each switch's own name")
        return self

    def database(self, file_url: str) -> str:
        """The URL to open: this one with its driver, or that of the file."""
        if self.url is None:
            return file_url
        url = make_url(self.url.get_secret_value()).set(drivername="postgresql+asyncpg")
        return url.render_as_string(hide_password=False)


class Period(Section):
    """From this day on, data of a class is kept for so many days."""

    since: date
    days: int = Field(ge=1, le=36_500)


class Hold(Section):
    """A legal hold: nothing of this line is purged, until the day after `until` (None: until the hold
    is taken out). The reason is for whoever reads the file."""

    line: Identifier
    reason: str = Field(min_length=1)
    until: date | None = None


class RetentionSettings(Section):
    """Periods by class; of a class's periods the latest that has begun is in force.

    `traffic`: CDRs and outages (CPCE L.34-1: 1 year). `emergency`: the texts of the audit of emergency
    calls, which tell where somebody was (location data, likewise). `notices`: the ledger of notices, which
    carries legal clocks (Code civil 2224: 5 years). `identity`: the steps of a contract and of its cases,
    from the contract's end on (CPCE L.34-1: 5 years). `disclosures`: the log of what left to whom, from a
    request's last step on (Code civil 2224: 5 years).
    """

    traffic: tuple[Period, ...] = (Period(since=date(2024, 1, 1), days=365),)
    emergency: tuple[Period, ...] = (Period(since=date(2024, 1, 1), days=365),)
    notices: tuple[Period, ...] = (Period(since=date(2024, 1, 1), days=1_826),)
    identity: tuple[Period, ...] = (Period(since=date(2024, 1, 1), days=1_826),)
    disclosures: tuple[Period, ...] = (Period(since=date(2024, 1, 1), days=1_826),)
    holds: tuple[Hold, ...] = ()
