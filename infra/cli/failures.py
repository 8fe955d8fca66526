"""What ends a verb early: one sentence for a person, and the exit code of CONTRACT §8.

Failure
├── WrongFound     1   verification, or a refused or invalid command under --strict
├── Unusable       2   usage, or input that cannot be read
├── Incomplete     3   part of the work is done; what was committed stays
│   └── Unprinted  3   stdout cannot be written
├── Unreachable    4   a store that cannot be opened or written
├── Interrupted  130   Ctrl-C
└── PipeClosed   141   nobody reads what is printed
"""


class Failure(Exception):
    """Ends the process with `exit_code`; its text, if any, is said on stderr."""

    exit_code = 1


class WrongFound(Failure):
    """Something was found wrong."""

    exit_code = 1


class Unusable(Failure):
    """The command line or its input cannot be used."""

    exit_code = 2


class Incomplete(Failure):
    """The work stopped before its end."""

    exit_code = 3


class Unprinted(Incomplete):
    """What was to be printed was not, or not all of it."""


class Unreachable(Failure):
    """A service or store cannot be reached."""

    exit_code = 4


class Interrupted(Failure):
    """The person pressed Ctrl-C: 128 + SIGINT."""

    exit_code = 130


class PipeClosed(Failure):
    """The reader of stdout went away: 128 + SIGPIPE."""

    exit_code = 141
