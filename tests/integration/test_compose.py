"""docker-compose.yml and Dockerfile: their settings are those that the tests run with, and nothing is left open.

Where Docker's compose is installed, `docker compose config` has to accept the file as well.
"""

import fnmatch
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its types are a package of their own, for one test

from infra.cli.main import SECTIONS
from infra.live.settings import PREFIX, LiveSettings
from infra.servers import BROKER_HEAP, KAFKA_VERSION, KafkaCluster

CHECKOUT = Path(__file__).parents[2]
COMPOSE = CHECKOUT / "docker-compose.yml"
BROKERS = ("kafka-1", "kafka-2", "kafka-3")
PROCESSES = ("write", "project", "calendar")
PLACES = {
    "listeners",
    "advertised.listeners",
    "listener.security.protocol.map",
    "controller.quorum.voters",
    "log.dirs",
}
"""Where a node is: addresses and folders, which are looked at apart."""
IMAGE_ONLY = {"CLUSTER_ID", "KAFKA_HEAP_OPTS"}
"""What the image's own start reads, and no broker."""
TESTED_POSTGRES = 15
CONFIG_LIMIT_S = 60
DURATION = re.compile(r"(?:(\d+)m)?(?:(\d+)s)?")

Json = dict[str, Any]


@pytest.fixture(scope="module")
def compose() -> Json:
    """The file, anchors and merges resolved."""
    found: Json = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def services(compose: Json) -> dict[str, Json]:
    found: dict[str, Json] = compose["services"]
    return found


@pytest.fixture(scope="module")
def tested() -> Iterator[list[dict[str, str]]]:
    """server.properties of the three nodes that tests start; here none is started."""
    cluster = KafkaCluster(nodes=3)
    try:
        files = [node.folder / "server.properties" for node in cluster.nodes]
        yield [dict(line.split("=", 1) for line in file.read_text().splitlines()) for file in files]
    finally:
        cluster.stop()


def properties(service: Json) -> dict[str, str]:
    """Broker settings as the image makes them of its environment: KAFKA_LOG_DIRS is log.dirs."""
    environment: dict[str, str] = service["environment"]
    kept = {name: value for name, value in environment.items() if name not in IMAGE_ONLY}
    return {name.removeprefix("KAFKA_").lower().replace("_", "."): value for name, value in kept.items()}


def seconds(duration: str) -> int:
    """A duration of the compose specification."""
    found = DURATION.fullmatch(duration)
    assert found
    return 60 * int(found[1] or 0) + int(found[2] or 0)


def plain(value: str) -> str:
    """A value with its variables at their defaults."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


def addresses(listeners: str) -> dict[str, str]:
    """Listener → address."""
    return dict(part.split("://") for part in listeners.split(","))


def test_brokers_are_configured_as_those_of_the_tests(services: dict[str, Json], tested: list[dict[str, str]]) -> None:
    """Setting by setting, none more and none fewer, but for addresses and folders."""
    for name, expected in zip(BROKERS, tested, strict=True):
        found = properties(services[name])
        assert set(found) == set(expected), name
        for setting in set(expected) - PLACES:
            assert found[setting] == expected[setting], f"{name}: {setting}"


def test_brokers_listen_as_those_of_the_tests(services: dict[str, Json], tested: list[dict[str, str]]) -> None:
    """The same listeners with the same security, and one more for the machine's own programs, told as loopback."""
    (ours, *_) = tested
    for number, name in enumerate(BROKERS, 1):
        found = properties(services[name])
        host_port = 19091 + number
        assert found["listener.security.protocol.map"] == ours["listener.security.protocol.map"] + ",HOST:PLAINTEXT"
        assert set(addresses(found["listeners"])) == {*addresses(ours["listeners"]), "HOST"}
        assert addresses(found["listeners"]) == {"PLAINTEXT": ":9092", "CONTROLLER": ":9093", "HOST": f":{host_port}"}
        assert addresses(found["advertised.listeners"]) == {
            "PLAINTEXT": f"{name}:9092",
            "CONTROLLER": f"{name}:9093",
            "HOST": f"127.0.0.1:{host_port}",
        }
        voters = ",".join(f"{number}@{broker}:9093" for number, broker in enumerate(BROKERS, 1))
        assert found["controller.quorum.voters"] == voters
        assert services[name]["ports"] == [f"127.0.0.1:{host_port}:{host_port}"]
        assert f"{name}:{found['log.dirs']}" in services[name]["volumes"]
        assert services[name]["hostname"] == name


def test_brokers_are_of_the_version_of_the_tests(services: dict[str, Json]) -> None:
    """The official image, with the same heap, and one cluster."""
    for name in BROKERS:
        assert services[name]["image"] == f"apache/kafka:{KAFKA_VERSION}"
        assert services[name]["environment"]["KAFKA_HEAP_OPTS"] == BROKER_HEAP
    (cluster,) = {services[name]["environment"]["CLUSTER_ID"] for name in BROKERS}
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{21}", plain(cluster))


def test_postgres_is_durable_and_as_new_as_that_of_the_tests(services: dict[str, Json]) -> None:
    """The encoding and collation that tests have; fsync on, which is said and not left to a default."""
    service = services["postgres"]
    image, _, version = service["image"].partition(":")
    assert image == "postgres"
    assert int(version) >= TESTED_POSTGRES
    assert "fsync=on" in service["command"]
    assert service["environment"]["POSTGRES_INITDB_ARGS"] == "-E UTF8 --no-locale"
    assert any(volume.startswith("postgres:") for volume in service["volumes"])


def test_processes_have_settings_that_there_are(services: dict[str, Json]) -> None:
    """Every variable is a field of LiveSettings; they connect to what the other services are."""
    no_file: dict[str, Any] = {"_env_file": None}
    for name in ("topics", *PROCESSES):
        environment: dict[str, str] = services[name]["environment"]
        fields = {variable.removeprefix(PREFIX).lower() for variable in environment}
        assert fields <= set(LiveSettings.model_fields)
        given: dict[str, Any] = {
            variable.removeprefix(PREFIX).lower(): plain(value).strip() for variable, value in environment.items()
        }
        settings = LiveSettings(**no_file, **given)
        assert settings.brokers == ",".join(f"{broker}:9092" for broker in BROKERS)
        assert "host=postgres" in settings.dsn
        assert services["postgres"]["environment"]["POSTGRES_PASSWORD"] in environment["SUBLEDGER_POSTGRES"]
        assert services[name]["command"][0] in SECTIONS["On Kafka"]


def test_each_process_has_its_own_data_and_all_have_the_keys(compose: Json, services: dict[str, Json]) -> None:
    """Named volumes: what is in a container goes with it."""
    data = []
    for name in ("topics", *PROCESSES):
        volumes = dict(reversed(volume.split(":")) for volume in services[name]["volumes"])
        environment = services[name]["environment"]
        data.append(volumes[environment["SUBLEDGER_DATA"]])
        assert volumes[environment["SUBLEDGER_KEYS"]] == "keys"
    assert len(set(data)) == len(data)
    used = {volume.split(":")[0] for service in services.values() for volume in service["volumes"]}
    assert used == set(compose["volumes"])


def test_ports_are_on_loopback_alone_and_no_two_alike(services: dict[str, Json]) -> None:
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in published)
    hosts = [port.rsplit(":", 1)[0] for port in published]
    assert len(set(hosts)) == len(hosts)
    for name in PROCESSES:
        (port,) = services[name]["ports"]
        assert port.endswith(f":{services[name]['environment']['SUBLEDGER_METRICS_PORT']}")


def test_every_service_is_looked_after(services: dict[str, Json]) -> None:
    """A health check (what ends by itself says by its exit code how it went), a restart policy, bounded logs."""
    for name, service in services.items():
        check = service["healthcheck"]
        assert check == {"disable": True} if name == "topics" else check["test"][0] == "CMD", name
        assert service["restart"] == ("on-failure:5" if name == "topics" else "unless-stopped")
        assert service["logging"]["options"]["max-size"]
    for name in PROCESSES:
        asked = services[name]["healthcheck"]["test"][-1]
        assert f"127.0.0.1:{services[name]['environment']['SUBLEDGER_METRICS_PORT']}/health" in asked


def test_processes_are_given_the_time_that_they_may_take_to_stop(services: dict[str, Json]) -> None:
    """A writer ends its groups, then leaves its consumer group, each within `stop_seconds`."""
    for name in PROCESSES:
        stop_seconds = float(services[name]["environment"]["SUBLEDGER_STOP_SECONDS"])
        assert seconds(services[name]["stop_grace_period"]) > 2 * stop_seconds


def test_services_wait_for_what_they_need(services: dict[str, Json]) -> None:
    """Nobody starts before the topics are there; whoever uses the database waits for it; no circle."""
    conditions = {
        name: {other: need["condition"] for other, need in service.get("depends_on", {}).items()}
        for name, service in services.items()
    }
    healthy, done = "service_healthy", "service_completed_successfully"
    assert conditions["topics"] == dict.fromkeys(BROKERS, healthy)
    assert conditions["write"] == {"topics": done}
    assert conditions["project"] == {"topics": done, "postgres": healthy}
    assert conditions["calendar"] == {"topics": done, "postgres": healthy, "project": healthy}


def test_processes_have_no_rights_that_they_do_not_need(services: dict[str, Json]) -> None:
    for name in ("topics", *PROCESSES):
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["read_only"] is True
        assert services[name]["security_opt"] == ["no-new-privileges:true"]


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile in order, continued lines joined."""
    text = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines if line and not line.startswith("#")]


def test_the_image_is_made_of_locked_packages_and_has_a_user_without_rights() -> None:
    found = instructions()
    runs = [words for name, words in found if name == "RUN"]
    assert any("--require-hashes" in words and "requirements.lock" in words for words in runs)
    assert all("-slim" in words for name, words in found if name == "FROM")
    last_stage = found[max(index for index, (name, _) in enumerate(found) if name == "FROM") :]
    assert dict(last_stage)["USER"] == "subledger"
    assert dict(last_stage)["ENTRYPOINT"] == '["subledger"]'


def test_the_image_gets_what_it_copies_and_nothing_else() -> None:
    """The program's folders and what building it needs are let in; ledgers, keys and history are not."""
    ignored = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = {
        source
        for name, words in instructions()
        if name == "COPY" and not words.startswith("--from")
        for source in words.split()[:-1]
    }
    assert copied == let_in
    assert all((CHECKOUT / source).exists() for source in copied)
    assert {"domain", "projections", "consumers", "infra"} <= copied
    assert "*" in ignored
    for secret in ("subledger-keys", "ledger", ".env", ".git"):
        assert not any(fnmatch.fnmatch(secret, name) for name in let_in)


def has_compose() -> bool:
    """Whether Docker's compose is installed here; no engine is needed to read a file."""
    if shutil.which("docker") is None:
        return False
    asked = ["docker", "compose", "version"]
    return not subprocess.run(asked, capture_output=True, timeout=CONFIG_LIMIT_S, check=False).returncode


@pytest.mark.skipif(not has_compose(), reason="Docker's compose is not installed; the structure is checked above")
def test_docker_compose_config_accepts_it() -> None:
    done = subprocess.run(
        ["docker", "compose", "--file", str(COMPOSE), "config", "--quiet"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=CONFIG_LIMIT_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
