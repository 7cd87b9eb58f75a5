"""The tables of devices and of their firmware, beside those of `tables`: same rules, same migrations.

`body` holds the record as it was told; the columns beside it are what people ask by.
"""

from typing import Final

from sqlalchemy import JSON, BigInteger, Column, Float, Index, Integer, String, Table, Text

from switch.store.tables import metadata

device: Final = Table(
    "device",
    metadata,
    Column("id", String, primary_key=True),
    Column("life", String, nullable=False),
    Column("line", String, nullable=False),
    Column("model", String, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("body", JSON, nullable=False),
)

# What each device was told last. `content` tells one document from another, `sha256` is what it attests.
device_desired: Final = Table(
    "device_desired",
    metadata,
    Column("device", String, primary_key=True),
    Column("rev", BigInteger, nullable=False),
    Column("content", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("envelope", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)

device_reported: Final = Table(
    "device_reported",
    metadata,
    Column("device", String, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("rev", BigInteger, nullable=False),
    Column("state", String, nullable=False),
    Column("version", String, nullable=False),
    Column("reboots", Integer, nullable=False),
    Column("body", Text, nullable=False),
)

# A device's story: rows are added and never changed.
device_event: Final = Table(
    "device_event",
    metadata,
    Column("device", String, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", String, nullable=False),
    Column("state", String, nullable=False),
    Column("version", String, nullable=False),
    Column("detail", String, nullable=False),
    Index(None, "at"),
)

rollout: Final = Table(
    "rollout",
    metadata,
    Column("id", String, primary_key=True),
    Column("model", String, nullable=False),
    Column("version", String, nullable=False),
    Column("state", String, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("body", JSON, nullable=False),
)

rollout_device: Final = Table(
    "rollout_device",
    metadata,
    Column("rollout", String, primary_key=True),
    Column("device", String, primary_key=True),
    Column("step", String, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("before", String, nullable=False),
    Column("version", String, nullable=False),
    Column("detail", String, nullable=False),
    Column("mos_before", Float, nullable=False),
    Column("reboots_before", Integer, nullable=False),
)

# Hashes of rotated secrets by algorithm; as good as the secrets themselves for who wants to log in.
line_secret: Final = Table(
    "line_secret",
    metadata,
    Column("line", String, primary_key=True),
    Column("ha1", JSON, nullable=False),
    Column("next_ha1", JSON, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("written", BigInteger, nullable=False, server_default="0"),
    Index(None, "written"),
)
