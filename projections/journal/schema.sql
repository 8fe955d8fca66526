-- One row per posting. Positive amounts are debits; the lines of a position sum to zero in each currency.
CREATE TABLE postings (
    position BIGINT NOT NULL,
    line BIGINT NOT NULL,
    subject TEXT NOT NULL,
    version BIGINT NOT NULL,
    type TEXT NOT NULL,
    effective_at TEXT NOT NULL,
    recorded_at TEXT NOT NULL,
    account TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount BIGINT NOT NULL,
    PRIMARY KEY (position, line)
) WITHOUT ROWID;

-- One row per account and currency: all its debits and all its credits, both positive.
CREATE TABLE account_totals (
    account TEXT NOT NULL,
    currency TEXT NOT NULL,
    debit BIGINT NOT NULL,
    credit BIGINT NOT NULL,
    PRIMARY KEY (account, currency)
) WITHOUT ROWID;
