"""Projectors and databases killed under load: the views have each fact once, and are what a refold makes."""

from __future__ import annotations

import signal
from pathlib import Path

import psycopg
from psycopg import sql

from domain.money import Money
from infra.contracts import balance_record
from infra.live.places import BALANCES
from infra.servers import PostgresServer
from tests.faults.conftest import PARTITIONS, Hurt
from tests.faults.hurt_processes import PROJECTORS
from tests.faults.load import Load, fully_checked
from tests.support.live import LiveLedger, wait_until

DIES_WITHIN_S = 60.0
CAUGHT_UP_S = 120.0


def test_projector_and_database_killed(
    kafka_address: str, postgres_server: PostgresServer, tmp_path: Path, hurt: Hurt
) -> None:
    """The projector dies before, within and after a transaction, then the database under a projector that lives."""
    with (
        LiveLedger(
            kafka_address, tmp_path, postgres=postgres_server.dsn, partitions=PARTITIONS, sandbox=False
        ) as ledger,
        Load(ledger, a_second=150) as load,
        ledger.running("write"),
    ):
        for way in PROJECTORS:
            child = hurt(ledger, way, 5)
            assert child.wait(DIES_WITHIN_S) == -signal.SIGKILL, (ledger.folder / f"{way}.log").read_text()
        with ledger.running("project"):
            load.wait_for_answers(100)
            postgres_server.kill()
            load.wait_for_answers(100)
            postgres_server.start()
            load.wait_for_answers(100)
            load.stop()
            load.wait_answered()
            whole = fully_checked(ledger, load)
            wait_until(
                lambda: _counted(ledger, postgres_server) == whole.facts, CAUGHT_UP_S, "views to have every fact"
            )
        _check_views(ledger, postgres_server)
        print(load.figures(f"projector killed at {len(PROJECTORS)} steps, database killed"), f"{whole.facts:,} facts")


def _counted(ledger: LiveLedger, server: PostgresServer) -> int:
    ((count,),) = _rows(ledger, server, "SELECT COALESCE(SUM(sequence), 0)::bigint FROM positions WHERE shard >= 0")
    return int(str(count))


def _check_views(ledger: LiveLedger, server: PostgresServer) -> None:
    verified = ledger.verb("verify", "--ledger", "kafka")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    unbalanced = "SELECT position, currency FROM postings GROUP BY position, currency HAVING SUM(amount) <> 0"
    assert _rows(ledger, server, unbalanced) == []
    told = {}
    for record in ledger.records(BALANCES):
        balance = balance_record.read(record.value or b"")
        told[balance.subscriber] = balance.balance
    kept = _rows(ledger, server, "SELECT subject, currency, balance FROM balances")
    assert told == {subject: Money(int(str(balance)), str(currency)) for subject, currency, balance in kept}


def _rows(ledger: LiveLedger, server: PostgresServer, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.dsn) as connection:
        connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(ledger.settings.schema_name)))
        return connection.execute(query.encode()).fetchall()
