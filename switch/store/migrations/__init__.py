"""The steps from one version of the tables to the next (Alembic), and the way to take them."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def upgrade(connection: Connection) -> None:
    """Bring the database behind `connection` to the newest version, from any earlier or none."""
    command.upgrade(configured(connection), "head")


def configured(connection: Connection) -> Config:
    """Return Alembic's configuration for a connection: what its commands take."""
    config = Config()
    config.set_main_option("script_location", "switch.store:migrations")
    config.attributes["connection"] = connection
    return config
