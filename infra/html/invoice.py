"""An invoice as one HTML page for A4 paper: black on white, no scripts, nothing loaded from elsewhere."""

from dataclasses import asdict
from html import escape
from importlib.resources import files
from string import Template

from infra.explain.invoices import InvoiceDocument, printed, what_became_of


def page(invoice: InvoiceDocument) -> str:
    """The whole document; everything that comes from the ledger is escaped."""
    template = Template((files(__package__) / "invoice.html").read_text(encoding="utf-8"))
    values = {name: escape(value) for name, value in asdict(invoice).items() if isinstance(value, str)}
    values |= {"issued": escape(printed(invoice.issued)), "due": escape(printed(invoice.due))}
    return template.substitute(values, lines="\n".join(_lines(invoice)), after="\n".join(_after(invoice)))


def _lines(invoice: InvoiceDocument) -> list[str]:
    rows = [_row(line.what, line.arithmetic, line.charge, line.amount) for line in invoice.lines]
    if invoice.tax_words is not None:
        rows.append(_row(invoice.tax_words, "", "", invoice.tax))
    return rows


def _row(what: str, note: str, entry: str, amount: str) -> str:
    below = f'<br><span class="note">{escape(note)}</span>' if note else ""
    return (
        f'<tr><td>{escape(what)}{below}</td><td class="id">{escape(entry)}</td>'
        f'<td class="amount">{escape(amount)}</td></tr>'
    )


def _after(invoice: InvoiceDocument) -> list[str]:
    return [
        f'<tr class="after"><td>{name}</td><td></td><td class="amount">{escape(amount.replace("-", "−"))}</td></tr>'
        for name, amount in what_became_of(invoice)
    ]
