-- One row per credited reference and subscriber.
CREATE TABLE credited_references (
    reference TEXT NOT NULL,
    subject TEXT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (reference, subject)
) WITHOUT ROWID;

-- One row per number whose service was charged at a price of zero last.
CREATE TABLE free_services (
    subject TEXT NOT NULL,
    number TEXT NOT NULL,
    service TEXT NOT NULL,
    PRIMARY KEY (subject, number)
) WITHOUT ROWID;
