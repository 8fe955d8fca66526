"""What can go wrong between this module and its log, as exceptions of the `eventsourcing` library.

    eventsourcing.persistence.OperationalError      the world failed; the events are as valid as before
    └── LogError
        ├── NotCommitted        known: nothing of the append is in the log; it may be tried again
        ├── OutcomeUnknown      not known whether the append is in the log; the next append or `open` finds out
        ├── Fenced              another writer has taken the log over; this one is finished until it is opened again.
        │                       If the fence came between a commit and its answer, the append is in the log
        ├── LogClosed           used before `open` or after `close`
        └── Unreachable         no broker answered within the stated limit

    eventsourcing.persistence.InternalError         what is stored cannot be right; nothing goes on by itself
    └── CorruptLog
        ├── SequenceBroken      a gap or a repeat in the sequence of a partition
        ├── VersionBroken       a gap or a repeat in the versions of one stream
        ├── TrackingBroken      a tracking record that does not continue its predecessor
        ├── HistoryDeleted      the partition no longer begins at its beginning (retention, or records deleted by hand)
        ├── ForeignRecord       a record that this module cannot have written
        ├── IndexAhead          the local index knows records that the log does not have
        └── IndexDiffers        the local index and the log disagree about a record, or are of different topics

A conflicting append raises the library's `IntegrityError`, a record larger than the topic takes its `DataError`.
"""

import re

from eventsourcing.persistence import InternalError, OperationalError

NOBODY = "Unable to bootstrap"
"""How kafka-python begins where no broker answers."""
CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


class LogError(OperationalError):
    """Base: the log could not do what was asked."""


class NotCommitted(LogError):
    """Nothing of the append is in the log, and nothing of it will be."""


class OutcomeUnknown(LogError):
    """The append may or may not be in the log; recovery failed too."""


class Fenced(LogError):
    """Another writer has fenced this one."""


class LogClosed(LogError):
    """The log is not open."""


class Unreachable(LogError):
    """The brokers did not answer in time."""


class CorruptLog(InternalError):
    """Base: log and index cannot both be right. The message names what was expected and what was found."""


class SequenceBroken(CorruptLog):
    """The sequence of a partition has a gap or a repeat."""


class VersionBroken(CorruptLog):
    """The versions of a stream have a gap or a repeat."""


class TrackingBroken(CorruptLog):
    """A tracking record does not continue the one before it."""


class HistoryDeleted(CorruptLog):
    """Records at the beginning of the partition are gone."""


class ForeignRecord(CorruptLog):
    """A record was not written by this module."""


class IndexAhead(CorruptLog):
    """The index knows more than the log."""


class IndexDiffers(CorruptLog):
    """The index knows something else than the log."""


def reason(failed: BaseException) -> str:
    """What an exception says for people: its text, or its name in words where it has none; no names of classes."""
    said = "; ".join(reason(part) if isinstance(part, BaseException) else str(part) for part in failed.args)
    return said or CAPITAL.sub(" ", type(failed).__name__.removesuffix("Error")).lower()


def nobody_answered(servers: str, failed: BaseException) -> Unreachable:
    """What a client that could not be made comes to; that nobody answered is all that a time-out would say, too."""
    said = reason(failed)
    why = "" if said.startswith(NOBODY) else f": {said}"
    return Unreachable(f"no broker answered at {servers}{why}")
