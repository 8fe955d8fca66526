"""Three brokers under load: leaders, coordinators and the controller killed one after another, silent, and cut off.

The network is cut between one writer and the brokers, in a network namespace, while another writer succeeds it. All
brokers at once are made silent by SIGSTOP, which looks to every client like a cut cable.
"""

from __future__ import annotations

import subprocess
import time
from contextlib import closing

from kafka import KafkaAdminClient  # type: ignore[import-untyped]

from infra.live.places import COMMANDS, EVENTS
from infra.live.settings import PREFIX
from infra.servers import KafkaCluster
from tests.faults.conftest import SESSION
from tests.faults.load import Load, fully_checked
from tests.faults.network import Cable
from tests.support.live import CHECKOUT, PROGRAM, LiveLedger

SILENT_S = 45.0
"""Longer than every limit of the write path: delivery 15 s, commit 20 s, transaction 30 s, fence 30 s."""
A_SECOND = 150
ANSWERS_BETWEEN = 500
PAUSE_LIMIT_S = 90.0


def test_leader_coordinator_and_controller_killed(kafka_cluster: KafkaCluster, ledger_on_three: LiveLedger) -> None:
    """Each is killed −9 under load, comes back, and the next one is killed."""
    ledger = ledger_on_three
    with Load(ledger, a_second=A_SECOND) as load, ledger.running("write", session_seconds=SESSION):
        load.wait_for_answers(ANSWERS_BETWEEN)
        for role in (_leader, _commands_leader, _coordinator, _controller):
            node = kafka_cluster.nodes[role(ledger) - 1]
            node.kill()
            load.wait_for_answers(ANSWERS_BETWEEN)
            node.start()
            load.wait_for_answers(ANSWERS_BETWEEN)
        load.stop()
        load.wait_answered()
    whole = fully_checked(ledger, load)
    print(load.figures("leader, coordinator, controller killed"), f"{whole.facts:,} facts")
    assert load.longest_pause_s < PAUSE_LIMIT_S


def test_all_brokers_silent_for_longer_than_every_limit(
    kafka_cluster: KafkaCluster, ledger_on_three: LiveLedger
) -> None:
    """SIGSTOP to all three; whoever gave up by then is started again, and nothing is lost or doubled."""
    ledger = ledger_on_three
    with Load(ledger, a_second=A_SECOND) as load:
        writer = ledger.start("write", session_seconds=SESSION)
        writer.wait_ready()
        load.wait_for_answers(ANSWERS_BETWEEN)
        for node in kafka_cluster.nodes:
            node.pause()
        time.sleep(SILENT_S)
        for node in kafka_cluster.nodes:
            node.resume()
        if not writer.is_running:
            assert "Traceback" not in writer.said
        with ledger.running("write", session_seconds=SESSION, data=str(ledger.folder / "second")):
            load.wait_for_answers(ANSWERS_BETWEEN)
            load.stop()
            load.wait_answered()
            writer.kill()
    fully_checked(ledger, load)
    print(load.figures(f"all brokers silent for {SILENT_S:g} s"))


def test_network_cut_between_writer_and_brokers(kafka_cluster: KafkaCluster, ledger_on_three: LiveLedger) -> None:
    """The writer behind the cut is succeeded, and when the cable is mended it finds that out by itself."""
    ledger = ledger_on_three
    with Cable([node.port for node in kafka_cluster.nodes]) as cable, Load(ledger, a_second=A_SECOND) as load:
        environment = {**ledger.environment, f"{PREFIX}SESSION_SECONDS": SESSION}
        with (
            (ledger.folder / "cut-off.log").open("wb") as log,
            subprocess.Popen(
                [*cable.command, *PROGRAM, "write"],
                cwd=CHECKOUT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            ) as writer,
        ):
            try:
                load.wait_for_answers(ANSWERS_BETWEEN)
                cable.cut()
                with ledger.running("write", session_seconds=SESSION, data=str(ledger.folder / "successor")):
                    load.wait_for_answers(ANSWERS_BETWEEN)
                    time.sleep(SILENT_S)
                    cable.mend()
                    load.wait_for_answers(10 * ANSWERS_BETWEEN)
                    load.stop()
                    load.wait_answered()
            finally:
                writer.kill()
    whole = fully_checked(ledger, load)
    print(load.figures(f"network cut for {SILENT_S:g} s"), f"{whole.facts:,} facts")


def _leader(ledger: LiveLedger) -> int:
    return _leader_of(ledger, ledger.settings.topic(EVENTS))


def _commands_leader(ledger: LiveLedger) -> int:
    return _leader_of(ledger, ledger.settings.topic(COMMANDS))


def _leader_of(ledger: LiveLedger, topic: str) -> int:
    with closing(_admin(ledger)) as admin:
        (described,) = admin.describe_topics([topic])
    return int(described["partitions"][0]["leader_id"])


def _coordinator(ledger: LiveLedger) -> int:
    """Of the writer's transactions and groups: who leads the first partition of the transactions' own topic."""
    return _leader_of(ledger, "__transaction_state")


def _controller(ledger: LiveLedger) -> int:
    with closing(_admin(ledger)) as admin:
        return int(admin.describe_cluster()["controller_id"])


def _admin(ledger: LiveLedger) -> KafkaAdminClient:
    clients = ledger.settings.clients
    return clients.clients.admin(**clients.for_admin())
