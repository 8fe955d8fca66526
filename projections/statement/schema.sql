-- One row per fact that moved money. Running balances are summed when a statement is asked for: facts may take effect
-- in another order than they were recorded in.
CREATE TABLE statement_lines (
    position INTEGER NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    version BIGINT NOT NULL,
    type TEXT NOT NULL,
    effective_at TEXT NOT NULL,
    recorded_at TEXT NOT NULL,
    number TEXT,
    service TEXT,
    detail TEXT,
    period_start TEXT,
    period_end TEXT,
    currency TEXT NOT NULL,
    amount BIGINT NOT NULL,
    outstanding BIGINT NOT NULL
);

CREATE INDEX statement_lines_by_subject ON statement_lines (subject);
