"""A statement as one HTML page for A4 paper: black on white, no scripts, nothing loaded from elsewhere.

Everything that comes from the ledger is escaped, so a reference or a reason can hold any text.
"""

from collections.abc import Iterator
from datetime import timedelta
from html import escape
from importlib.resources import files
from string import Template
from zoneinfo import ZoneInfo

from infra.explain.statement_lines import line_words
from infra.explain.words import local
from infra.views.reading import Statement, StatementLine


def page(statement: Statement) -> str:
    """The whole document; it needs no other file."""
    zone = ZoneInfo(statement.time_zone)
    template = Template((files(__package__) / "statement.html").read_text(encoding="utf-8"))
    values = {
        "subscriber": statement.subscriber,
        "holder": statement.holder,
        "regulations": statement.regulations,
        "plan": statement.plan,
        "currency": statement.currency,
        "time_zone": statement.time_zone,
        "span": _span(statement, zone),
        "opening": _minus(statement.opening),
        "closing": _minus(statement.closing),
    }
    escaped = {name: escape(value) for name, value in values.items()}
    lines = "\n".join(_lines(statement, zone))
    return template.substitute(escaped, lines=lines, outstanding=_outstanding(statement))


def _span(statement: Statement, zone: ZoneInfo) -> str:
    first = f"from {local(statement.start, zone)}" if statement.start else "from the beginning"
    if statement.end is None:
        return f"{first} to the latest entry"
    return f"{first} to {local(statement.end - timedelta(seconds=1), zone)}"


def _lines(statement: Statement, zone: ZoneInfo) -> Iterator[str]:
    for line in statement.lines:
        yield (
            f'<tr><td class="when">{escape(local(line.effective_at, zone))}</td>'
            f"<td>{escape(line_words(line, zone))}{_recorded(line, zone)}</td>"
            f'<td class="id">{escape(line.id)}</td>'
            f'<td class="amount">{escape(_minus(line.amount))}</td>'
            f'<td class="amount">{escape(_minus(line.balance))}</td></tr>'
        )


def _recorded(line: StatementLine, zone: ZoneInfo) -> str:
    """A second line where the ledger learnt it on a later day than it counts from."""
    if local(line.recorded_at, zone)[:10] == local(line.effective_at, zone)[:10]:
        return ""
    return f'<br><span class="note">recorded {escape(local(line.recorded_at, zone))}</span>'


def _outstanding(statement: Statement) -> str:
    if statement.outstanding is None:
        return ""
    return (
        "<tr><td></td><td>Invoiced and unpaid</td><td></td><td></td>"
        f'<td class="amount">{escape(_minus(statement.outstanding))}</td></tr>'
    )


def _minus(amount: str) -> str:
    """The amount with a typographic minus, which is as wide as a digit."""
    return amount.replace("-", "−")
