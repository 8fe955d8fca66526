"""Personal data: sealed in every stored byte, gone for good once erased, whatever instant a crash chooses."""

from pathlib import Path
from typing import Any

import pytest

from infra.embedded.folder import EmbeddedLedger
from infra.sealing import ErasedKey, KeyFolder

PERSON = {"name": "Olena Kovalenko", "passport": "AA123456"}
JOINING = {"regulations": "telnexx", "currency": "USD", "plan": "start", "holder": "h-1", "personal": PERSON}


def command(identity: str, kind: str, data: dict[str, Any], at: str = "2026-01-05T09:00:00+02:00") -> dict[str, Any]:
    return {"id": identity, "type": kind, "subscriber": "s-1", "at": at, "actor": "desk-1", "data": data}


def test_no_file_of_the_ledger_holds_a_person_in_clear(tmp_path: Path) -> None:
    with EmbeddedLedger(tmp_path / "ledger", create=True) as ledger:
        writer = ledger.writer()
        writer.execute(command("c-1", "RegisterSubscriber", JOINING))
        writer.commit()
        sealed = next(ledger.shard.past("s-1").newest_first()).fact
        assert ledger.keys.open("s-1", getattr(sealed, "personal", "")) == PERSON
    for file in (tmp_path / "ledger").rglob("*"):
        if file.is_file():
            assert b"Kovalenko" not in file.read_bytes(), file.name


def test_the_same_command_is_a_duplicate_before_and_after_the_erasure(tmp_path: Path) -> None:
    registration = command("c-1", "RegisterSubscriber", JOINING)
    with EmbeddedLedger(tmp_path / "ledger", create=True) as ledger:
        writer = ledger.writer()
        writer.execute(registration)
        writer.commit()
        assert writer.execute(registration)["status"] == "duplicate"
        writer.execute(command("c-2", "ErasePersonalData", {"reason": "asked for"}))
        writer.commit()
        assert writer.execute(registration)["status"] == "duplicate"
        other = command("c-1", "RegisterSubscriber", {**JOINING, "holder": "h-2"})
        assert writer.execute(other)["code"] == "command_id_reused"


@pytest.mark.parametrize("recorded", [True, False], ids=["after the commit", "before the commit"])
def test_a_crash_during_an_erasure_is_made_good_when_the_ledger_is_opened(tmp_path: Path, recorded: bool) -> None:
    with EmbeddedLedger(tmp_path / "ledger", create=True) as ledger:
        writer = ledger.writer()
        writer.execute(command("c-1", "RegisterSubscriber", JOINING))
        writer.commit()
        personal = getattr(next(ledger.shard.past("s-1").newest_first()).fact, "personal", "")
        if recorded:
            writer.execute(command("c-2", "ErasePersonalData", {"reason": "asked for"}))
            ledger.shard.commit(writer._open.group)
        ledger.keys.intend_to_erase("s-1")
    with EmbeddedLedger(tmp_path / "ledger") as ledger:
        assert ledger.keys.intended() == []
        if recorded:
            with pytest.raises(ErasedKey, match="s-1"):
                ledger.keys.open("s-1", personal)
        else:
            assert ledger.keys.open("s-1", personal) == PERSON


def test_an_erased_key_is_never_made_anew(tmp_path: Path) -> None:
    keys = KeyFolder(tmp_path / "keys")
    keys.seal("s-1", "c-1", PERSON)
    keys.erase("s-1")
    sealed = keys.seal("s-1", "c-3", PERSON)
    with pytest.raises(ErasedKey):
        keys.open("s-1", sealed)
    keys.close()
