"""Keeps the views in PostgreSQL: rows of all views, the facts, the answers and the new positions are one transaction.

So each fact counts exactly once, whatever dies when. A batch must begin where the rows stand, shard by shard: a gap or
a repeat is refused and writes nothing. Durability is the server's own (`synchronous_commit`, `fsync`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, NamedTuple

import orjson
from psycopg import RawCursor
from psycopg.errors import DataError, IntegrityError, InvalidSchemaName, UndefinedTable

from infra.live.notes import Answered
from infra.postgres import schema
from infra.postgres.arrays import literal
from infra.postgres.connecting import Connection, first_line
from infra.postgres.schema import BEGINNING, CATALOGUE_SHARD, Position
from infra.postgres.statements import executions_of
from infra.views.folding import Folding
from infra.views.runner import OutOfSequence, StaleViews, ViewsError
from infra.views.wire import WireFact, read
from projections.event import SHARD_STEP, View
from projections.views import BY_NAME, VIEWS

Row = tuple[Any, ...]
Entry = tuple[int, bytes]
"""A sequence and the exact bytes stored there."""
BALANCE_TYPES = frozenset(BY_NAME["balances"].by_type)
"""Wire types of the facts after which a balance is another, or there for the first time."""

SESSION = (
    "SET plan_cache_mode = force_generic_plan",
    "SET enable_seqscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "SET jit = off",
    "SET statement_timeout = '120s'",
)
"""Rows are found by key, as many as a batch has. A table that has just been filled has no statistics yet, and the
planner would read all of it; a plan made anew for each array would cost more than the statement. No statement waits
for ever."""

SELECT_POSITIONS = "SELECT shard, sequence, next_offset FROM positions WHERE shard = ANY($1::int[]) FOR UPDATE"
SELECT_SHAPE = "SELECT fingerprint FROM shape"
UPSERT_POSITIONS = """
INSERT INTO positions (shard, sequence, next_offset)
SELECT * FROM unnest($1::int[], $2::bigint[], $3::bigint[])
ON CONFLICT (shard) DO UPDATE SET sequence = excluded.sequence, next_offset = excluded.next_offset"""
INSERT_FACTS = """
INSERT INTO facts (shard, sequence, subject, version, type, command_id, recorded_at, value)
SELECT shard, sequence, subject, version, type, command_id, recorded_at, substring($10::bytea FROM first FOR length)
FROM unnest(
    $1::int[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::int[], $9::int[]
) AS given(shard, sequence, subject, version, type, command_id, recorded_at, first, length)"""
INSERT_ANSWERS = """
INSERT INTO answers (subject, command_id, shard, command_offset, first_sequence, facts, verdict)
SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::int[], $7::text[])"""
SELECT_BALANCES = """
SELECT balances.subject, balances.currency, balances.balance, balances.outstanding, agreements.regulations
FROM balances
JOIN agreements ON agreements.subject = balances.subject
WHERE balances.subject = ANY($1::text[])"""


@dataclass(slots=True, kw_only=True)
class ShardBatch:
    """What was read of one shard from one position to another."""

    shard: int
    begin: Position
    end: Position
    entries: list[Entry] = field(default_factory=list)
    """Facts, in order and without a gap, from `begin` on."""
    answers: list[Answered] = field(default_factory=list)
    """To commands, whether they recorded facts or not."""


class Balance(NamedTuple):
    """A subscriber's balance after a batch, in inner units, and the last fact that it counts."""

    subject: str
    currency: str
    balance: int
    outstanding: int
    regulations: str
    shard: int
    sequence: int
    recorded_at: str
    """As views store instants."""


@dataclass(slots=True, kw_only=True)
class Prepared:
    """A batch folded: everything that its transaction writes, before any of it is sent."""

    batches: Sequence[ShardBatch]
    statements: list[tuple[str, Sequence[object]]]
    changed: dict[str, WireFact]
    """Subject → its last fact that changed a balance."""
    facts: int


BeforeCommit = Callable[[list[Balance]], None]
"""Told the balances that a batch changed, inside its transaction: what it raises undoes the batch."""


class RowsRefused(ViewsError):
    """A fact or an answer that is there already, or what no row can hold: log and views cannot both be right."""


class PostgresViews:
    """The views of one schema, kept over one connection; nobody else uses that meanwhile."""

    def __init__(self, connection: Connection, views: Sequence[View] = VIEWS) -> None:
        """Raises StaleViews where the schema's rows were made by another program, or there are none."""
        self._connection = connection
        self._folding = Folding(views)
        self._shape = schema.fingerprint()
        if schema.shape(connection) != self._shape:
            raise StaleViews("the views in PostgreSQL were folded by another version of the program")
        schema.execute_all(connection, SESSION)
        self._executions = executions_of(connection, views)

    def positions(self) -> dict[int, Position]:
        """How far each shard is counted."""
        return schema.positions(self._connection)

    def alive(self) -> None:
        """Asks the server for a sign of life, which keeps the session. psycopg.Error where there is none."""
        self._connection.execute("SELECT 1")

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    def apply(self, batches: Sequence[ShardBatch], before_commit: BeforeCommit | None = None) -> None:
        """Counts `batches`, all or none; at most one of each shard.

        OutOfSequence where one does not follow its shard's position, StaleViews where the schema was replaced by
        another program's, UndecodableFact and UnknownFact for bytes that no view can read.
        """
        self.write(self.prepare(batches), before_commit)

    def prepare(self, batches: Sequence[ShardBatch]) -> Prepared:
        """Folds `batches`; asks the database nothing."""
        facts = {batch.shard: _facts(batch) for batch in batches}
        folded = [fact for shard, some in facts.items() if shard != CATALOGUE_SHARD for fact in some]
        statements: list[tuple[str, Sequence[object]]] = []
        for text, rows in self._folding.fold(folded):
            execution = self._executions[text]
            statements.append((execution.text, execution.parameters(rows)))
        return Prepared(
            batches=batches,
            statements=[*statements, *_of_facts(batches, facts), *_of_answers(batches), _of_positions(batches)],
            changed={fact.subject: fact for fact in folded if fact.type in BALANCE_TYPES},
            facts=sum(map(len, facts.values())),
        )

    def write(self, prepared: Prepared, before_commit: BeforeCommit | None = None) -> None:
        """The transaction of a folded batch."""
        try:
            self._transact(prepared, before_commit)
        except (IntegrityError, DataError) as wrong:
            raise RowsRefused(f"PostgreSQL refused rows of the batch: {first_line(wrong)}") from wrong

    def _transact(self, prepared: Prepared, before_commit: BeforeCommit | None) -> None:
        cursor = RawCursor(self._connection)
        with self._connection.transaction():
            self._require(cursor, prepared.batches)
            with self._connection.pipeline():
                for text, parameters in prepared.statements:
                    cursor.execute(text.encode(), parameters, prepare=True)
            if before_commit is not None and prepared.changed:
                before_commit(list(_balances(cursor, prepared.changed)))

    def _require(self, cursor: "RawCursor[Row]", batches: Sequence[ShardBatch]) -> None:
        """Locks the positions. Raises OutOfSequence and StaleViews."""
        shards = _numbers([batch.shard for batch in batches])
        try:
            # The positions first: a rebuild that swaps schemas locks them, and the shape is then that of the new one.
            rows = cursor.execute(SELECT_POSITIONS, (shards,), prepare=True).fetchall()
            shape = cursor.execute(SELECT_SHAPE, prepare=True).fetchone()
        except (UndefinedTable, InvalidSchemaName):
            rows, shape = [], None
        if shape is None or shape[0] != self._shape:
            raise StaleViews("the views in PostgreSQL were replaced by those of another version of the program")
        standing = {row[0]: Position(row[1], row[2]) for row in rows}
        for batch in batches:
            at = standing.get(batch.shard, BEGINNING)
            if at != batch.begin:
                raise OutOfSequence(
                    f"shard {batch.shard}: expected what follows sequence {at.sequence} from offset {at.next_offset},"
                    f" found what follows {batch.begin.sequence} from {batch.begin.next_offset}"
                )


def _facts(batch: ShardBatch) -> list[WireFact]:
    """A batch's facts decoded; OutOfSequence where one does not follow the other."""
    facts = []
    expected = batch.begin.sequence + 1
    for sequence, value in batch.entries:
        if sequence != expected:
            raise OutOfSequence(f"shard {batch.shard}: expected the fact of sequence {expected}, found {sequence}")
        facts.append(read(sequence, value, max(batch.shard, 0)))
        expected += 1
    if batch.end.sequence != expected - 1:
        raise OutOfSequence(f"shard {batch.shard}: {len(facts)} facts do not lead from {batch.begin} to {batch.end}")
    return facts


def _of_facts(batches: Sequence[ShardBatch], facts: dict[int, list[WireFact]]) -> Iterator[tuple[str, list[object]]]:
    """The copies of the facts. Their bytes are one parameter, of which each row takes its part."""
    values = [value for batch in batches for _, value in batch.entries]
    if not values:
        return
    shards = [batch.shard for batch in batches for _ in batch.entries]
    sequences = [sequence for batch in batches for sequence, _ in batch.entries]
    of = [fact for batch in batches for fact in facts[batch.shard]]
    lengths = [len(value) for value in values]
    yield (
        INSERT_FACTS,
        [
            _numbers(shards),
            _numbers(sequences),
            _texts([fact.subject for fact in of]),
            _numbers([fact.version for fact in of]),
            _texts([fact.type for fact in of]),
            _texts([fact.caused_by for fact in of]),
            _texts([fact.recorded_at for fact in of]),
            _numbers(list(accumulate(lengths[:-1], initial=1))),
            _numbers(lengths),
            b"".join(values),
        ],
    )


def _of_answers(batches: Sequence[ShardBatch]) -> Iterator[tuple[str, list[object]]]:
    """The answers to commands; one that is there already is a fault, since no command is decided twice."""
    answers = [(batch.shard, answer) for batch in batches for answer in batch.answers]
    if not answers:
        return
    yield (
        INSERT_ANSWERS,
        [
            _texts([answer.subject for _, answer in answers]),
            _texts([answer.command_id for _, answer in answers]),
            _numbers([shard for shard, _ in answers]),
            _numbers([answer.offset for _, answer in answers]),
            _numbers([answer.first_sequence for _, answer in answers]),
            _numbers([answer.facts for _, answer in answers]),
            _texts([orjson.dumps(answer.verdict).decode() for _, answer in answers]),
        ],
    )


def _of_positions(batches: Sequence[ShardBatch]) -> tuple[str, list[object]]:
    return (
        UPSERT_POSITIONS,
        [
            _numbers([batch.shard for batch in batches]),
            _numbers([batch.end.sequence for batch in batches]),
            _numbers([batch.end.next_offset for batch in batches]),
        ],
    )


def _balances(cursor: "RawCursor[Row]", changed: dict[str, WireFact]) -> Iterator[Balance]:
    """The balances of the subjects in `changed`, as the transaction has them."""
    rows = cursor.execute(SELECT_BALANCES, (_texts(list(changed)),), prepare=True)
    for subject, currency, balance, outstanding, regulations in rows:
        fact = changed[subject]
        shard, sequence = divmod(fact.position, SHARD_STEP)
        yield Balance(subject, currency, balance, outstanding, regulations, shard, sequence, fact.recorded_at)


def _numbers(column: Sequence[int]) -> str:
    return literal(column, is_text=False)


def _texts(column: Sequence[str]) -> str:
    return literal(column, is_text=True)
