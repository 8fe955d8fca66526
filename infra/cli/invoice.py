"""`subledger invoice`: one invoice with its lines and tax; a table, JSON, or a page to print."""

import click

from domain.state import Subscriber
from infra.cli.failures import Unusable
from infra.cli.opening import opened
from infra.cli.options import Asked, examples, json_option, name_argument, source_options
from infra.cli.output import print_fields, print_json, print_line, print_table, stdout
from infra.explain.invoices import InvoiceDocument, NotAnInvoice, invoice_document, printed, what_became_of
from infra.views.source import Source


@click.command(
    epilog=examples(
        "subledger invoice s-001/5",
        "subledger invoice s-001/5 --html > invoice.html      a page to print",
    )
)
@name_argument("invoice", "ID")
@click.option("--html", "as_html", is_flag=True, help="A printable A4 page on stdout.")
@json_option
@source_options
def command(invoice: str, as_html: bool, as_json: bool, ledger: Asked) -> None:
    """Show the invoice ID (the name of its fact, such as s-001/5), and what has been paid on it."""
    with opened(ledger) as source:
        document = read(source, invoice)
    if as_html:
        from infra.html.invoice import page

        stdout().write(page(document).encode())
    elif as_json:
        print_json(document)
    else:
        show(document)


def read(source: Source, invoice: str) -> InvoiceDocument:
    """The invoice as a document; Unusable where there is none of that name."""
    subject = invoice.rpartition("/")[0]
    state = source.load(subject)
    if not isinstance(state, Subscriber):
        raise Unusable(f"there is no invoice {invoice}")
    profile = state.profile
    try:
        return invoice_document(
            source.past(subject),
            invoice,
            holder=profile.holder,
            regulations=profile.regulations,
            zone=profile.time_zone,
        )
    except NotAnInvoice as error:
        raise Unusable(str(error)) from None


def show(invoice: InvoiceDocument) -> None:
    """The invoice, for people."""
    print_fields(
        [
            ("Invoice", f"{invoice.id}, {invoice.status}"),
            ("Subscriber", f"{invoice.subscriber} (holder {invoice.holder}), {invoice.regulations}"),
            ("For", f"{invoice.number}, {invoice.period}"),
            ("Issued", printed(invoice.issued)),
            ("Due", printed(invoice.due)),
        ]
    )
    print_line()
    rows = [(line.what, line.arithmetic, line.charge, line.amount) for line in invoice.lines]
    if invoice.tax_words is not None:
        rows.append((invoice.tax_words, "", "", invoice.tax))
    rows.append(("Total", "", "", invoice.total))
    rows += [(name, "", "", amount) for name, amount in what_became_of(invoice)]
    print_table(("what", "arithmetic", "fact", f">{invoice.currency}"), rows)
