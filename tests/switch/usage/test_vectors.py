"""Runs every case file of machine form under tests/**/cases: {"vectors": [{id, title, given, expect}]}.

A vector's `given` names by its keys which scene it is (vector_scenes.py); its `expect` names some of what
the scene shows. A key that no scene knows fails, so that nothing is passed over.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from switch.usage.meter import DEFAULT_THRESHOLD_MS
from tests.switch.usage import vector_calls, vector_meters
from tests.switch.usage.vector_scenes import scene_of

TESTS = Path(__file__).parents[2]
# Ids of the service's own list; some numbers were never given.
LIST = "V01 V02 V04 V05 V06 V07 V08 V09 V10 V11 V12 V13 V16 V17 V18 V19 V20 V21 V22 V23 V24 V25 V27 V28"
LIST += (
    " V29 V31 V32 V34 V35 V37 V38 V40 V41 V42 V43 V45 V46 V49 V51 V52 V53 V54 V55 V57 V58 V59 V60"
)

SCENES = (vector_calls, vector_meters)  # they register their scenes as they are imported


def files() -> Iterator[tuple[Path, dict[str, Any]]]:
    """The case files of this form; other JSON under tests is something else."""
    for path in sorted(TESTS.glob("**/cases/**/*.json")):
        content = orjson.loads(path.read_bytes())
        if isinstance(content, dict) and "vectors" in content:
            yield path, content


def vectors() -> list[Any]:
    return [
        pytest.param(vector, id=f"{path.stem} {vector['id']}: {vector['title']}")
        for path, content in files()
        for vector in content["vectors"]
    ]


@pytest.mark.parametrize("vector", vectors())
def test_vector(vector: dict[str, Any]) -> None:
    shown = scene_of(vector["given"], vector["expect"])
    unknown = vector["expect"].keys() - shown.keys()
    assert not unknown, f"the scene shows no {', '.join(sorted(unknown))}"
    assert {key: shown[key] for key in vector["expect"]} == vector["expect"]


def test_the_service_s_own_list_is_complete_and_no_id_is_given_twice() -> None:
    ids = [vector["id"] for _, content in files() for vector in content["vectors"]]
    assert len(ids) == len(set(ids))
    assert set(LIST.split()) <= set(ids)
    assert len(LIST.split()) == 47


def test_the_files_mean_the_product_s_threshold() -> None:
    for path, content in files():
        assert content["threshold_ms"] == DEFAULT_THRESHOLD_MS, path
        assert content["default_mode"] == "both", path


def test_what_no_scene_knows_fails() -> None:
    with pytest.raises(LookupError, match="no scene"):
        scene_of({"colour": "blue"})
