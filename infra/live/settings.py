"""Where a live ledger is and how to be let in, from the environment or a `.env` file (CONTRACT §8).

    SUBLEDGER_KAFKA       host:port,…             brokers
    SUBLEDGER_POSTGRES    postgresql://…          database of the views
    SUBLEDGER_TOPICS      subledger               prefix of the topics, and name of the database's schema
    SUBLEDGER_DATA        ./subledger-data        folder of the shards' indexes; a process has its own
    SUBLEDGER_KEYS        ./subledger-keys        folder of the ledger's keys; shared by all its processes

TLS and SASL by kafka-python's names: `SUBLEDGER_SECURITY_PROTOCOL`, `SUBLEDGER_SSL_CAFILE`, `SUBLEDGER_SASL_MECHANISM`,
`SUBLEDGER_SASL_PLAIN_USERNAME` and so on. The rest are limits, by the names of the fields below.
"""

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from infra.kafka.settings import SECURITY_OPTIONS, KafkaSettings

PREFIX = "SUBLEDGER_"
ENV_FILE = ".env"
BROKER = re.compile(r"[^\s,;]+:([0-9]{1,5})")
LAST_PORT = 65_535
TOPIC_PREFIX = re.compile(r"[A-Za-z0-9._-]{1,100}")

Compression = Literal["none", "gzip", "snappy", "lz4", "zstd"]


class SettingsFault(ValueError):
    """A setting is missing or wrong; the message names it."""


class LiveSettings(BaseSettings):
    """The settings of one live ledger's processes and clients."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=ENV_FILE, extra="ignore", frozen=True)

    kafka: str = ""
    postgres: SecretStr = SecretStr("")
    topics: str = "subledger"
    data: Path = Path("subledger-data")
    keys: Path = Path("subledger-keys")

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] | None = None
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    ssl_password: SecretStr | None = None
    ssl_crlfile: Path | None = None
    ssl_ciphers: str | None = None
    ssl_check_hostname: bool | None = None
    sasl_mechanism: Literal["PLAIN", "GSSAPI", "OAUTHBEARER", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_plain_username: str | None = None
    sasl_plain_password: SecretStr | None = None
    sasl_kerberos_name: str | None = None
    sasl_kerberos_service_name: str | None = None
    sasl_kerberos_domain_name: str | None = None

    compression: Compression = "zstd"
    """Of the facts' batches."""
    group_commands: Annotated[int, Field(ge=1, le=5_000)] = 500
    """Commands in one commit at most."""
    group_ms: Annotated[int, Field(ge=0, le=1_000)] = 1
    """How long a writer waits for more commands before it commits a group."""
    poll_ms: Annotated[int, Field(ge=1, le=10_000)] = 100
    """How long a process waits for records before it looks after other things."""
    session_seconds: Annotated[float, Field(ge=1, le=1_800)] = 10.0
    """After this the shards of a writer that has gone silent are given to another one."""
    check_seconds: Annotated[float, Field(gt=0)] = 30.0
    """How often a running process checks that its topics still keep all history."""
    reply_seconds: Annotated[float, Field(gt=0)] = 60.0
    """How long `submit` waits for the reply to a command."""
    calendar_seconds: Annotated[float, Field(gt=0)] = 5.0
    """How often the calendar looks who is due."""
    stop_seconds: Annotated[float, Field(gt=0)] = 30.0
    """How long a process that was told to stop may take."""
    metrics_port: Annotated[int, Field(ge=0, le=LAST_PORT)] = 0
    """Port of `/metrics` and `/health`; 0 for none."""
    metrics_host: str = "127.0.0.1"

    @field_validator("kafka")
    @classmethod
    def _are_brokers(cls, value: str) -> str:
        for broker in value.split(",") if value else ():
            named = BROKER.fullmatch(broker.strip())
            if named is None or int(named[1]) > LAST_PORT:
                raise ValueError(f"expected the brokers as host:port,…, found {broker!r}")
        return value

    @field_validator("topics")
    @classmethod
    def _is_a_topic_prefix(cls, value: str) -> str:
        if not TOPIC_PREFIX.fullmatch(value):
            raise ValueError("expected 1 to 100 characters of A-Z a-z 0-9 . _ -")
        return value

    @field_validator("data", "keys", "ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_crlfile", mode="before")
    @classmethod
    def _is_not_empty(cls, value: object) -> object:
        """An empty path would be this very folder: keys and indexes would lie about wherever a process is started."""
        if value == "":
            raise ValueError("expected a path, found ''")
        return value

    @property
    def brokers(self) -> str:
        """`host:port,…`; SettingsFault where none are given."""
        if not self.kafka:
            raise SettingsFault(f"{PREFIX}KAFKA is not set; expected the brokers as host:port,…")
        return self.kafka

    @property
    def dsn(self) -> str:
        """Connection string of PostgreSQL; SettingsFault where there is none, or none that can be read."""
        from infra.postgres.connecting import is_connection_string

        dsn = self.postgres.get_secret_value()
        if not dsn:
            raise SettingsFault(f"{PREFIX}POSTGRES is not set; expected a connection string such as postgresql://…")
        if not is_connection_string(dsn):  # What it says is not repeated: there may be a password in it.
            raise SettingsFault(f"{PREFIX}POSTGRES: expected a connection string such as postgresql://…, found none")
        return dsn

    @property
    def schema_name(self) -> str:
        """The PostgreSQL schema of this ledger's views: the topics' prefix in lower case, other signs as `_`."""
        return re.sub(r"[^a-z0-9_]", "_", self.topics.lower())

    @cached_property
    def clients(self) -> KafkaSettings:
        """How this ledger's programs connect to the brokers."""
        return KafkaSettings(
            bootstrap_servers=self.brokers,
            security=self._security(),
            client_id="subledger",
            compression=None if self.compression == "none" else self.compression,
            session_timeout_ms=int(self.session_seconds * 1000),
        )

    def topic(self, name: str) -> str:
        """The topic `commands.v1`, `events.v1` … of this ledger."""
        return f"{self.topics}.{name}"

    def _security(self) -> dict[str, object]:
        given = {name: getattr(self, name) for name in SECURITY_OPTIONS}
        return {name: _plain(value) for name, value in given.items() if value is not None}


def _plain(value: object) -> object:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value) if isinstance(value, Path) else value


def load() -> LiveSettings:
    """The settings of this process's environment; SettingsFault names the first that is wrong."""
    try:
        return LiveSettings()
    except ValidationError as wrong:
        first = wrong.errors()[0]
        name = f"{PREFIX}{'_'.join(str(part) for part in first['loc'])}".upper()
        raise SettingsFault(f"{name}: {first['msg'].removeprefix('Value error, ')}") from None
    except UnicodeDecodeError:
        raise SettingsFault(f"{ENV_FILE}: expected settings in UTF-8, found other bytes") from None
    except OSError as error:
        raise SettingsFault(f"{ENV_FILE}: {(error.strerror or str(error)).lower()}") from None
