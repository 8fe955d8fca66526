-- name: totals
-- Every account's debits and credits.
SELECT account, currency, debit, credit FROM account_totals ORDER BY account, currency;

-- name: totals_until
-- Every account's debits and credits, of what was in effect at an instant.
SELECT account, currency,
    SUM(CASE WHEN amount > 0 THEN amount ELSE 0 END), SUM(CASE WHEN amount < 0 THEN -amount ELSE 0 END)
FROM postings
WHERE effective_at <= :as_of
GROUP BY account, currency
ORDER BY account, currency;

-- name: journal
-- Every posting in the order of the log.
SELECT position, subject, version, type, effective_at, recorded_at, account, amount, currency
FROM postings
ORDER BY position, line;
