-- One row per charged report or cut-off; the rows of a call sum to the call.
CREATE TABLE usage_reports (
    position INTEGER NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    version BIGINT NOT NULL,
    usage TEXT NOT NULL,
    number TEXT NOT NULL,
    service TEXT NOT NULL,
    effective_at TEXT NOT NULL,
    minutes BIGINT,
    units BIGINT,
    included BIGINT NOT NULL,
    currency TEXT NOT NULL,
    amount BIGINT NOT NULL,
    rate BIGINT NOT NULL,
    elapsed_seconds BIGINT,
    ended BOOLEAN NOT NULL,
    cut_off BOOLEAN NOT NULL
);

CREATE INDEX usage_reports_by_subject ON usage_reports (subject);
