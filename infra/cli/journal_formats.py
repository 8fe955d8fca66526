"""The journal as text for hledger and for beancount, such that their strict checks pass.

Sources: hledger's manual, "Journal"; beancount's "Language Syntax", "Accounts".
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from domain.money import decimal_places
from infra.views.reading import AccountTotal, JournalEntry

OPENED_ON = "2000-01-01"
"""Accounts are open from here on: no instant of a ledger lies before it (domain/periods)."""
WHOLE_NUMBER = "1000"

PLAIN_HLEDGER = re.compile(r"[^A-Za-z0-9:._+-]")
PLAIN_BEANCOUNT = re.compile(rb"[^A-Za-z0-9]")
DATA_PREFIX = "Id-"

ZoneOf = Callable[[str], ZoneInfo]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How one program wants it: the declarations, then an entry after the other."""

    declarations: Callable[[Iterable[AccountTotal]], Iterator[str]]
    entry: Callable[[JournalEntry, date], str]


def booked_on(entry: JournalEntry, zone: ZoneInfo) -> date:
    """The day that an entry belongs to: the one it counts from, on the subscriber's calendar."""
    return entry.effective_at.astimezone(zone).date()


def hledger_account(account: str) -> str:
    """The account's name with every character that could mean something to hledger as `%XX`, which is reversible."""
    return PLAIN_HLEDGER.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), account)


def beancount_account(account: str) -> str:
    """A valid beancount name: components that come from data are `Id-` and the text with other characters escaped.

    `-` is written `--`, any other byte that is no letter or digit as `-` and two hexadecimal digits.
    `Liabilities:Prepaid:s-1` becomes `Liabilities:Prepaid:Id-s--1`, `Income:Periodic:did.ua`
    `Income:Periodic:Id-did-2eua`. `beancount_origin` is the way back.
    """
    root, kind, *data = account.split(":", 2)
    return ":".join([root, kind, *(DATA_PREFIX + _escaped(part) for part in data)])


def beancount_origin(name: str) -> str:
    """The ledger's account that a beancount name stands for."""
    root, kind, *data = name.split(":", 2)
    return ":".join([root, kind, *(_unescaped(part.removeprefix(DATA_PREFIX)) for part in data)])


def _escaped(text: str) -> str:
    return PLAIN_BEANCOUNT.sub(
        lambda found: b"--" if found[0] == b"-" else f"-{found[0][0]:02x}".encode(), text.encode()
    ).decode()


def _unescaped(text: str) -> str:
    return re.sub(
        rb"-(-|[0-9a-f]{2})", lambda found: b"-" if found[1] == b"-" else bytes([int(found[1], 16)]), text.encode()
    ).decode()


def _hledger_declarations(accounts: Iterable[AccountTotal]) -> Iterator[str]:
    listed = list(accounts)
    yield "; The journal of a ledger, for hledger. Days are those of each subscriber's calendar.\n"
    yield "; In names of accounts %XX stands for a byte that is no letter, digit or one of . _ + - (as in URLs).\n\n"
    for currency in sorted({account.currency for account in listed}):
        digits = decimal_places(currency)
        yield f"commodity {WHOLE_NUMBER}.{'0' * digits} {currency}\n"
    for name in sorted({account.account for account in listed}):
        yield f"account {hledger_account(name)}\n"
    yield "\n"


def _hledger_entry(entry: JournalEntry, day: date) -> str:
    lines = [f"{day} ({entry.id}) {entry.type}"]
    lines.append(f"    ; counts from {_instant(entry.effective_at)}, recorded {_instant(entry.recorded_at)}")
    lines += [f"    {hledger_account(p.account)}  {p.amount} {p.currency}" for p in entry.postings]
    return "\n".join(lines) + "\n\n"


def _beancount_declarations(accounts: Iterable[AccountTotal]) -> Iterator[str]:
    listed = list(accounts)
    yield "; The journal of a ledger, for beancount. Days are those of each subscriber's calendar.\n"
    yield "; A component of an account's name that comes from the ledger's data (a subscriber, a service, a method)\n"
    yield "; is written Id- and the text, where -- stands for - and -xx for the byte xx (hexadecimal) that is no\n"
    yield "; letter or digit: Liabilities:Prepaid:Id-s--1 is Liabilities:Prepaid:s-1.\n\n"
    yield 'option "title" "Subledger journal"\n'
    for currency in sorted({account.currency for account in listed}):
        yield f"{OPENED_ON} commodity {currency}\n"
    for name in sorted({account.account for account in listed}):
        yield f"{OPENED_ON} open {beancount_account(name)}\n"
    yield "\n"


def _beancount_entry(entry: JournalEntry, day: date) -> str:
    lines = [f'{day} * "{entry.subscriber}" "{entry.type}"', f'  fact: "{entry.id}"']
    lines.append(f'  effective: "{_instant(entry.effective_at)}"')
    lines.append(f'  recorded: "{_instant(entry.recorded_at)}"')
    lines += [f"  {beancount_account(p.account)}  {p.amount} {p.currency}" for p in entry.postings]
    return "\n".join(lines) + "\n\n"


def _instant(moment: object) -> str:
    return str(moment).replace(" ", "T").replace("+00:00", "Z")


FORMATS: Mapping[str, Format] = {
    "hledger": Format(declarations=_hledger_declarations, entry=_hledger_entry),
    "beancount": Format(declarations=_beancount_declarations, entry=_beancount_entry),
}
