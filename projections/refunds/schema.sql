-- One row per refund, under the id of its request, or of the fact that made it due where nobody requested it.
CREATE TABLE refunds (
    id TEXT NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    requested_at TEXT,
    reason TEXT,
    decided_at TEXT,
    approved BOOLEAN,
    reviewer TEXT,
    review TEXT,
    due_at TEXT,
    currency TEXT,
    amount BIGINT,
    fee BIGINT,
    method TEXT,
    paid_at TEXT,
    paid_currency TEXT,
    paid BIGINT,
    rate TEXT,
    reference TEXT
) WITHOUT ROWID;

CREATE INDEX refunds_by_subject ON refunds (subject);

-- One row per dispute, under the id of its opening.
CREATE TABLE disputes (
    id TEXT NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    charge TEXT NOT NULL,
    opened_at TEXT NOT NULL,
    reason TEXT NOT NULL,
    resolved_at TEXT,
    upheld BOOLEAN,
    reviewer TEXT,
    resolution TEXT
) WITHOUT ROWID;

CREATE INDEX disputes_by_subject ON disputes (subject);
