-- One row per subscriber. Amounts in the currency's inner unit.
CREATE TABLE balances (
    subject TEXT NOT NULL PRIMARY KEY,
    currency TEXT NOT NULL,
    balance BIGINT NOT NULL,
    outstanding BIGINT NOT NULL
) WITHOUT ROWID;

CREATE INDEX balances_in_debt ON balances (subject) WHERE balance < 0;
