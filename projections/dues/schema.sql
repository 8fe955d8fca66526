-- One row per item that waited: `order`, `renewal` (of a suspended rental) or `invoice`. It waits while `closed_at` is
-- empty; an invoice closes with the payment that leaves nothing outstanding. Statements find a row by the key, since a
-- bulk load has no other index.
CREATE TABLE dues (
    subject TEXT NOT NULL,
    version BIGINT NOT NULL,
    kind TEXT NOT NULL,
    number TEXT NOT NULL,
    since TEXT NOT NULL,
    due_at TEXT,
    outstanding BIGINT,
    currency TEXT,
    closed_at TEXT,
    outcome TEXT,
    PRIMARY KEY (subject, version)
) WITHOUT ROWID;

CREATE INDEX dues_invoices ON dues (due_at) WHERE closed_at IS NULL AND due_at IS NOT NULL;
