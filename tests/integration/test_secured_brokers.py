"""A ledger on brokers that ask for TLS and a password: settings let it in, and without them it says so and ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from infra.live.settings import PREFIX
from infra.servers import KafkaCluster
from tests.support.lines import line
from tests.support.live import LiveLedger

pytestmark = pytest.mark.xdist_group("live")

USER, PASSWORD, ANOTHER = "ledger", "not-a-secret", "guessed"
GIVES_UP_WITHIN_S = 120.0
JAAS = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required"
    f' username="broker" password="inner" user_broker="inner" user_{USER}="{PASSWORD}";'
)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`broker.pem`, a key and its certificate for 127.0.0.1, signed by itself; `ca.pem`; `stranger.pem`, another CA."""
    folder = tmp_path_factory.mktemp("certificates")
    key, certificate = _self_signed("broker")
    (folder / "broker.pem").write_bytes(key + certificate)
    (folder / "ca.pem").write_bytes(certificate)
    (folder / "stranger.pem").write_bytes(_self_signed("stranger")[1])
    return folder


@pytest.fixture(scope="module")
def brokers(certificates: Path) -> Iterator[str]:
    """One broker whose only listener for clients is SASL_SSL."""
    settings = {
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:SASL_SSL",
        "sasl.enabled.mechanisms": "PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.plaintext.plain.sasl.jaas.config": JAAS,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(certificates / "broker.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(certificates / "ca.pem"),
    }
    with KafkaCluster(settings=settings) as cluster:
        yield cluster.bootstrap_servers


@pytest.fixture
def ledger(brokers: str, certificates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveLedger]:
    """A sandbox ledger whose processes and senders take how to get in from the environment."""
    variables = {
        "SECURITY_PROTOCOL": "SASL_SSL",
        "SSL_CAFILE": str(certificates / "ca.pem"),
        "SASL_MECHANISM": "PLAIN",
        "SASL_PLAIN_USERNAME": USER,
        "SASL_PLAIN_PASSWORD": PASSWORD,
    }
    for name, value in variables.items():
        monkeypatch.setenv(PREFIX + name, value)
    with LiveLedger(brokers, tmp_path, partitions=2) as founded:
        yield founded


def test_a_ledger_is_founded_written_and_read_behind_tls_and_a_password(ledger: LiveLedger) -> None:
    registered = line("RegisterSubscriber", "c-1")
    with ledger.running("write"):
        (outcome,) = ledger.submit([registered])
    assert outcome["status"] == "accepted"
    checked = ledger.verb("topics", "check")
    assert checked.returncode == 0, checked.stderr
    stored = [fact.event["type"] for facts in ledger.facts([outcome]).values() for fact in facts]
    assert stored == ["subledger.subscriber-registered.v1"]


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"SASL_PLAIN_PASSWORD": ANOTHER}, id="another password"),
        pytest.param({"SSL_CAFILE": "stranger.pem"}, id="a certificate of somebody else's"),
        pytest.param({"SECURITY_PROTOCOL": "PLAINTEXT"}, id="no TLS at all"),
    ],
)
def test_who_is_not_let_in_says_so_and_ends(ledger: LiveLedger, certificates: Path, wrong: dict[str, str]) -> None:
    """Exit 4 within a bounded time, one sentence, and no password in it."""
    given = {PREFIX + name: str(certificates / value) if "CAFILE" in name else value for name, value in wrong.items()}
    done = ledger.verb("topics", "check", **given)
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert PASSWORD not in done.stderr
    assert ANOTHER not in done.stderr


def test_a_process_that_is_not_let_in_ends(ledger: LiveLedger) -> None:
    writer = ledger.start("write", sasl_plain_password=ANOTHER)
    assert writer.ended(GIVES_UP_WITHIN_S) == 4, writer.said
    assert "Traceback" not in writer.said


def _self_signed(name: str) -> tuple[bytes, bytes]:
    """A private key and a certificate of its own for 127.0.0.1, both as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoded_key = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return encoded_key, certificate.public_bytes(serialization.Encoding.PEM)
