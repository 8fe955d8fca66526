"""The keys of a live ledger: that of the facts' salts, and those of personal data; one folder for all its processes."""

from pathlib import Path
from typing import Any

from infra.live.catalogue import key_digest
from infra.live.notes import Founding
from infra.sealing import PREFIX, ErasedKey, KeyFolder, key_in


class WrongKey(Exception):
    """The folder holds the key of another ledger."""


def salt_key(folder: Path, founding: Founding | None) -> bytes:
    """The key of the facts' salts; made where a ledger is being founded. Raises WrongKey."""
    file = folder / "salt.key"
    if founding is not None and not file.exists():
        raise WrongKey(f"{file} is missing; the ledger was founded with a key that every process needs")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = key_in(file)
    if founding is not None and key_digest(key) != founding.salt_key:
        raise WrongKey(f"{file} is the key of another ledger")
    return key


class LiveKeys:
    """Seals personal data at the edge, and what came unsealed before it is recorded. One thread, opened when needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: KeyFolder | None = None

    def seal(self, subject: str, command_id: str, personal: Any) -> str:
        if isinstance(personal, str) and personal.startswith(PREFIX) and self._is_ours(subject, personal):
            return personal
        return self._keys.seal(subject, command_id, personal)

    def intend_to_erase(self, subject: str) -> None:
        self._keys.intend_to_erase(subject)

    def intended(self) -> list[str]:
        """Subjects whose erasure was begun."""
        return self._keys.intended() if (self._folder / "subscribers.db").exists() else []

    def erase(self, subject: str) -> None:
        self._keys.erase(subject)

    def keep(self, subject: str) -> None:
        """The fact of the erasure was never stored: the key stays."""
        self._keys.keep(subject)

    def close(self) -> None:
        """Closes the folder."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _is_ours(self, subject: str, sealed: str) -> bool:
        try:
            self._keys.open(subject, sealed)
        except ErasedKey:
            return True
        except Exception:  # noqa: BLE001 - whatever the cipher says of a text that is none of ours
            return False
        return True

    @property
    def _keys(self) -> KeyFolder:
        if self._opened is None:
            self._opened = KeyFolder(self._folder)
        return self._opened
