"""Every read model of the ledger, in the order in which they are listed to people."""

from projections.balances.projection import VIEW as BALANCES
from projections.deadlines.projection import VIEW as DEADLINES
from projections.decisions.projection import VIEW as DECISIONS
from projections.dues.projection import VIEW as DUES
from projections.event import View
from projections.findings.projection import VIEW as FINDINGS
from projections.journal.projection import VIEW as JOURNAL
from projections.lots.projection import VIEW as LOTS
from projections.plans.projection import VIEW as PLANS
from projections.refunds.projection import VIEW as REFUNDS
from projections.rentals.projection import VIEW as RENTALS
from projections.statement.projection import VIEW as STATEMENT
from projections.usage.projection import VIEW as USAGE

VIEWS: tuple[View, ...] = (
    BALANCES,
    STATEMENT,
    LOTS,
    RENTALS,
    PLANS,
    DUES,
    USAGE,
    REFUNDS,
    DECISIONS,
    JOURNAL,
    DEADLINES,
    FINDINGS,
)
BY_NAME: dict[str, View] = {view.name: view for view in VIEWS}
