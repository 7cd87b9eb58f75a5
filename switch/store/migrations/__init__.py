"""The steps from one version of the tables to the next (Alembic), and the way to take them."""

from typing import TYPE_CHECKING

from sqlalchemy import Connection

if TYPE_CHECKING:
    from alembic.config import Config

# Alembic takes a tenth of a second to import, and readers don't need it.


def upgrade(connection: Connection) -> None:
    """Bring the database behind `connection` to the newest version, from any earlier or none."""
    from alembic import command  # noqa: PLC0415 (see above)

    command.upgrade(configured(connection), "head")


def configured(connection: Connection) -> "Config":
    """Return Alembic's configuration for a connection: what its commands take."""
    from alembic.config import Config  # noqa: PLC0415 (see above)

    config = Config()
    config.set_main_option("script_location", "switch.store:migrations")
    config.attributes["connection"] = connection
    return config
