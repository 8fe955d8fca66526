"""What may go wrong with a live ledger, in a sentence for people, and of which kind it is."""

from enum import Enum, auto

from eventsourcing.persistence import PersistenceError
from psycopg import Error as PostgresError

from infra.kafka.errors import CorruptLog
from infra.live.catalogue import NotFounded
from infra.live.keys import WrongKey
from infra.live.projecting import ServerAbsent
from infra.live.settings import SettingsFault
from infra.live.topics import WrongTopics
from infra.postgres.connecting import first_line
from infra.servers import ServerError


class Kind(Enum):
    """What a person can do about it."""

    UNUSABLE = auto()
    """Say it otherwise: settings, or a ledger that was never founded."""
    WRONG = auto()
    """Look into it: topics or a log that cannot be right."""
    ABSENT = auto()
    """Bring a server back."""


def diagnosis(error: Exception) -> tuple[Kind, str] | None:
    """The kind and the sentence; None for what has nothing to do with a live ledger."""
    match error:
        case SettingsFault() | NotFounded() | WrongKey():
            return Kind.UNUSABLE, str(error)
        case WrongTopics():
            return Kind.WRONG, str(error)
        case CorruptLog():
            return Kind.WRONG, f"the log is damaged: {error}"
        case PersistenceError() | ServerAbsent() | ServerError():
            return Kind.ABSENT, str(error)
        case PostgresError():
            return Kind.ABSENT, f"PostgreSQL cannot be used: {first_line(error)}"
        case _:
            return None
