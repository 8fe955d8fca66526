-- name: post
-- Writes one line of the journal.
INSERT INTO postings (
    position, line, subject, version, type, effective_at, recorded_at, account, currency, amount
) VALUES (
    :position, :line, :subject, :version, :type, :effective_at, :recorded_at, :account, :currency, :amount
);

-- name: total
-- Adds to an account's debits and credits.
-- key: account, currency
-- sum: debit, credit
INSERT INTO account_totals (account, currency, debit, credit) VALUES (:account, :currency, :debit, :credit)
ON CONFLICT (account, currency) DO UPDATE SET
    debit = account_totals.debit + excluded.debit,
    credit = account_totals.credit + excluded.credit;
