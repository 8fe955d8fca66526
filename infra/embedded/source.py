"""An embedded ledger to read: its files, opened read-only beside whoever writes to them."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from consumers.ports import Answer, StoreError
from domain.case import Past
from domain.commands import CATALOGUE_SUBJECT
from domain.state import State
from infra.embedded.folder import NoLedger, check_whole
from infra.embedded.stores import LookedUp, StoredPast, folded, last_instant, stored_answer, stored_snapshot
from infra.views.log import Entry, SqliteLog
from infra.views.opening import OpenViews, open_views
from infra.views.runner import Progress, Runner
from infra.views.source import Parameter, Parked, Position
from infra.views.sql import question

CACHE_KIB = 8_192
ALIGNMENTS = 20
"""How often views and log are brought to one moment; each time fails only if another reader was at it meanwhile."""
SELECT_TABLES = "SELECT COUNT(*) FROM sqlite_master WHERE name IN ('stored_events', 'commands', 'instants')"
SELECT_LAST = "SELECT COALESCE(MAX(rowid), 0) FROM stored_events"
SELECT_FACT = "SELECT rowid, CAST(state AS BLOB) FROM stored_events WHERE originator_id = ? AND originator_version = ?"
SELECT_FACTS = (
    "SELECT rowid, CAST(state AS BLOB) FROM stored_events WHERE originator_id = ? AND rowid > ? "
    "ORDER BY originator_version"
)
SELECT_SUBJECTS = "SELECT DISTINCT originator_id FROM stored_events ORDER BY originator_id"
SELECT_WHO_USED = "SELECT subject FROM commands WHERE command_id = ? ORDER BY subject"


class Moment:
    """One file of facts as it stood when it was first asked: one read transaction, which holds no writer up."""

    def __init__(self, file: Path) -> None:
        uri = f"{file.absolute().as_uri()}?mode=ro"
        self._connection = sqlite3.connect(uri, uri=True, isolation_level=None)
        self._connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        self._connection.execute("BEGIN")

    def one(self, statement: str, parameters: tuple[Any, ...]) -> Any:
        return self._connection.execute(statement, parameters).fetchone()

    def rows(self, statement: str, parameters: tuple[Any, ...]) -> Iterable[Any]:
        return self._connection.execute(statement, parameters)

    def move_on(self) -> None:
        """What is asked next is answered as of now."""
        self._connection.execute("COMMIT")
        self._connection.execute("BEGIN")

    def close(self) -> None:
        self._connection.close()


class EmbeddedSource:
    """The ledger in a folder. Nothing is written but to the views, which are brought up to date when they are asked."""

    def __init__(self, folder: Path, *, progress: Progress | None = None) -> None:
        """Raises NoLedger."""
        self.folder = folder
        self._progress = progress
        self._open_views: OpenViews | None = None
        if not (folder / "events.db").exists():
            raise no_ledger(folder)
        check_whole(folder)
        self._log = Moment(folder / "events.db")
        self._catalogue = Moment(folder / "catalogue.db")
        if self._log.one(SELECT_TABLES, ())[0] < 3:
            self.close()
            raise no_ledger(folder)

    @property
    def name(self) -> str:
        return str(self.folder)

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    @property
    def moments(self) -> tuple[Moment, Moment]:
        """The catalogue's file and the shard's."""
        return self._catalogue, self._log

    def facts(self, subject: str, after: int = 0) -> Iterable[Entry]:
        return self._moment(subject).rows(SELECT_FACTS, (subject, after))

    def fact(self, subject: str, version: int) -> Entry | None:
        row: Entry | None = self._moment(subject).one(SELECT_FACT, (subject, version))
        return row

    def answer(self, subject: str, command_id: str) -> Answer | None:
        return stored_answer(self._moment(subject), subject, command_id)

    def answers(self, command_id: str) -> Sequence[Answer]:
        found = []
        for moment in (self._log, self._catalogue):
            for (subject,) in list(moment.rows(SELECT_WHO_USED, (command_id,))):
                found.append(stored_answer(moment, subject, command_id))
        return [answer for answer in found if answer is not None]

    def subjects(self) -> Sequence[str]:
        return [row[0] for row in self._log.rows(SELECT_SUBJECTS, ())]

    def last_instant(self) -> datetime | None:
        return last_instant(self._log)

    def load(self, subject: str) -> State:
        return folded(self._log, subject, stored_snapshot(self._log, subject)).state

    def past(self, subject: str) -> Past:
        return StoredPast(self._log, subject, LookedUp())

    def ask(self, view: str, name: str, *parameters: Parameter) -> Iterator[Any]:
        return iter(self._views.execute(question(view, name).sql, parameters))

    def last_sequence(self) -> int:
        return int(self._log.one(SELECT_LAST, ())[0])

    def positions(self) -> Sequence[Position]:
        return (Position(shard=0, sequence=Runner(self._views, ()).position(), log=self.last_sequence()),)

    def parked(self) -> Iterable[Parked]:
        return ()

    def move_on(self) -> None:
        self._log.move_on()
        self._catalogue.move_on()

    def close(self) -> None:
        if self._open_views is not None:
            self._open_views.close()
        self._log.close()
        self._catalogue.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _views(self) -> OpenViews:
        """The views at the moment of the log; the first to ask for them opens them."""
        if self._open_views is None:
            self._open_views = open_views(self.folder, self._progress, until=self.last_sequence())
            self._align(self._open_views)
        return self._open_views

    def _align(self, views: OpenViews) -> None:
        """Begins to read where views and log are at the same sequence, though others go on with both."""
        log = SqliteLog(self.folder / "events.db")
        try:
            runner = Runner(views)
            for _ in range(ALIGNMENTS):
                views.execute("BEGIN")
                if runner.position() == self.last_sequence():
                    return
                views.execute("COMMIT")
                self._log.move_on()
                runner.catch_up(log, until=self.last_sequence())
        finally:
            log.close()
        raise StoreError(f"{self.folder} is being written faster than it can be read; try again")

    def _moment(self, subject: str) -> Moment:
        return self._catalogue if subject == CATALOGUE_SUBJECT else self._log


def no_ledger(folder: Path) -> NoLedger:
    """What is said where a folder holds no ledger."""
    if folder.is_file():
        return NoLedger(f"{folder}: expected the folder of a ledger, found a file")
    return NoLedger(f"there is no ledger in {folder}; `subledger run FILE --ledger {folder}` makes one")
