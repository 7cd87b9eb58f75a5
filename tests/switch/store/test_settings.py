"""[store]: a file by default, a PostgreSQL database with a node's name, and nothing else."""

import pytest
from pydantic import ValidationError

from switch.store.settings import StoreSettings

FILE = "sqlite+aiosqlite:////data/vigie.sqlite"


def test_a_file_in_the_data_directory_by_default() -> None:
    assert StoreSettings().database(FILE) == FILE


def test_the_driver_is_ours_to_choose() -> None:
    settings = StoreSettings.model_validate(
        {"url": "postgresql://vigie:secret@db.example/vigie", "node": "paris-1"}
    )
    assert settings.database(FILE) == "postgresql+asyncpg://vigie:secret@db.example/vigie"


@pytest.mark.parametrize(
    "given",
    [
        {"url": "postgresql://db.example/vigie"},
        {"url": "mysql://db.example/vigie", "node": "a"},
        {"url": "sqlite:///x", "node": "a"},
        {"url": "no url at all", "node": "a"},
    ],
)
def test_what_is_refused_and_that_no_password_is_told(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as refusal:
        StoreSettings.model_validate(given)
    assert given["url"] not in str(refusal.value)
