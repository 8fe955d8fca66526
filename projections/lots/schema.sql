-- One row per lot: `filled_debt` went into a debt before anything was left, `spent` is what debits took and reversals
-- have not put back. What is left is credited - filled_debt - spent.
CREATE TABLE lots (
    id TEXT NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    version BIGINT NOT NULL,
    kind TEXT NOT NULL,
    method TEXT,
    reference TEXT,
    received_at TEXT NOT NULL,
    currency TEXT NOT NULL,
    credited BIGINT NOT NULL,
    filled_debt BIGINT NOT NULL,
    spent BIGINT NOT NULL,
    reversed_at TEXT
) WITHOUT ROWID;

CREATE INDEX lots_by_subject ON lots (subject);

-- One row for each part of a debit: which lot paid it; negative where a reversal put it back.
CREATE TABLE allocations (
    position BIGINT NOT NULL,
    line BIGINT NOT NULL,
    subject TEXT NOT NULL,
    version BIGINT NOT NULL,
    lot TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount BIGINT NOT NULL,
    PRIMARY KEY (position, line)
) WITHOUT ROWID;

CREATE INDEX allocations_by_lot ON allocations (lot);

-- What a subscriber's debits took beyond what the lots held.
CREATE TABLE debts (
    subject TEXT NOT NULL PRIMARY KEY,
    amount BIGINT NOT NULL
) WITHOUT ROWID;
