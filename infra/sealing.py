"""Personal data sealed per subscriber: AES-256-GCM under a key of its own, which erasing destroys (DESIGN §6).

A subscriber's key is random, wrapped by the ledger's master key. "Erased" leaves a mark, so that it is never taken for
"never had one" and no new key is made.
"""

import base64
import contextlib
import hashlib
import hmac
import os
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
PREFIX = "sealed:v1:"


class ErasedKey(ValueError):
    """The subscriber's key was destroyed; nothing can be sealed or opened with it any more."""


class KeyFolder:
    """Wrapped keys of subscribers in one SQLite file beside the master key."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._master = AESGCM(key_in(folder / "master.key"))
        self._keys = sqlite3.connect(folder / "subscribers.db", isolation_level=None)
        self._keys.execute("PRAGMA secure_delete=ON")
        self._keys.execute("CREATE TABLE IF NOT EXISTS keys (subject TEXT PRIMARY KEY, wrapped BLOB) WITHOUT ROWID")
        self._keys.execute("CREATE TABLE IF NOT EXISTS erasing (subject TEXT PRIMARY KEY) WITHOUT ROWID")

    def seal(self, subject: str, command_id: str, personal: Any) -> str:
        """The sealed form; the nonce is derived from the command, so that the same command seals to the same text."""
        plain = orjson.dumps(personal, option=orjson.OPT_SORT_KEYS)
        key = self._key(subject, create=True)
        if key is None:
            return f"{PREFIX}erased"
        nonce = hmac.digest(key, b"nonce" + command_id.encode() + b"\0" + plain, hashlib.sha256)[:NONCE_BYTES]
        return PREFIX + base64.b64encode(nonce + AESGCM(key).encrypt(nonce, plain, subject.encode())).decode()

    def open(self, subject: str, sealed: str) -> Any:
        """The personal data; ErasedKey where the key is gone."""
        key = self._key(subject, create=False)
        if key is None or sealed == f"{PREFIX}erased":
            raise ErasedKey(f"the personal data of {subject} was erased")
        data = base64.b64decode(sealed.removeprefix(PREFIX))
        return orjson.loads(AESGCM(key).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], subject.encode()))

    def intend_to_erase(self, subject: str) -> None:
        """Notes that the key will be destroyed once the fact of it is stored."""
        self._keys.execute("INSERT OR REPLACE INTO erasing VALUES (?)", (subject,))

    def intended(self) -> list[str]:
        """Subjects whose erasure was begun: a crash may have come before the fact was stored, or after."""
        return [row[0] for row in self._keys.execute("SELECT subject FROM erasing")]

    def erase(self, subject: str) -> None:
        """Destroys the key, durably, and marks it as erased."""
        self._keys.execute("BEGIN IMMEDIATE")
        self._keys.execute("INSERT OR REPLACE INTO keys VALUES (?, NULL)", (subject,))
        self._keys.execute("DELETE FROM erasing WHERE subject = ?", (subject,))
        self._keys.execute("COMMIT")

    def keep(self, subject: str) -> None:
        """The fact of the erasure was never stored: the key stays."""
        self._keys.execute("DELETE FROM erasing WHERE subject = ?", (subject,))

    def close(self) -> None:
        self._keys.close()

    def _key(self, subject: str, *, create: bool) -> bytes | None:
        row = self._keys.execute("SELECT wrapped FROM keys WHERE subject = ?", (subject,)).fetchone()
        if row is not None:
            return None if row[0] is None else self._unwrap(subject, row[0])
        if not create:
            return None
        key = AESGCM.generate_key(KEY_BYTES * 8)
        nonce = os.urandom(NONCE_BYTES)
        wrapped = nonce + self._master.encrypt(nonce, key, subject.encode())
        # Another process may have made one meanwhile: the first one counts.
        made = self._keys.execute("INSERT OR IGNORE INTO keys VALUES (?, ?)", (subject, wrapped)).rowcount
        return key if made else self._key(subject, create=False)

    def _unwrap(self, subject: str, wrapped: bytes) -> bytes:
        return self._master.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], subject.encode())


def key_in(file: Path) -> bytes:
    """The key kept in `file`; made, durably and whole, where there is none yet."""
    if not file.exists():
        descriptor, part = tempfile.mkstemp(dir=file.parent, prefix=f"{file.name}.")
        with open(descriptor, "wb") as out:
            out.write(os.urandom(KEY_BYTES))
            out.flush()
            os.fsync(out.fileno())
        with contextlib.suppress(FileExistsError):  # Of two that make one at a time, the first one counts.
            os.link(part, file)
        Path(part).unlink()
    return file.read_bytes()
