"""Stored examples of every version of every fact type decode for ever, and their fields are still written the same."""

import json
from pathlib import Path

import pytest

from domain.facts import WIRE_TYPES
from infra import codec
from tests.codec import write_examples
from tests.codec.write_examples import FOLDER, KEY

EXAMPLES = sorted(FOLDER.glob("*.json"))


def test_every_fact_type_has_a_stored_example() -> None:
    assert {f"{name}.json" for name in WIRE_TYPES.values()} <= {file.name for file in EXAMPLES}


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_a_stored_example_decodes(file: Path) -> None:
    stored = codec.decode(file.read_bytes())
    event = json.loads(file.read_bytes())
    assert event["type"] == file.stem
    assert stored.recorded.id == event["id"]


@pytest.mark.parametrize("file", [file for file in EXAMPLES if file.stem in codec.BY_TYPE], ids=lambda file: file.stem)
def test_a_current_example_is_written_again_byte_for_byte(file: Path) -> None:
    assert codec.encode(codec.decode(file.read_bytes()), KEY)[1] == file.read_bytes()


def test_an_older_calculation_without_its_rounding_decodes_and_a_new_one_says_it() -> None:
    value = (FOLDER / "subledger.periodic-service-charged.v1.json").read_bytes()
    said = b',"rounding":"half_up_minor"'
    assert said in value
    assert codec.decode(value.replace(said, b"")).recorded == codec.decode(value).recorded


def test_the_script_adds_what_is_missing_and_touches_nothing_else(tmp_path: Path) -> None:
    kept = tmp_path / "subledger.deposit-credited.v1.json"
    kept.write_text("an older example")
    written = write_examples.write_missing(tmp_path)
    assert len(written) == len(WIRE_TYPES) - 1
    assert kept.read_text() == "an older example"
    assert write_examples.write_missing(tmp_path) == []
