-- name: balance_of
-- A subscriber's balance as recorded so far.
SELECT currency, balance, outstanding FROM balances WHERE subject = :subject;

-- name: debts
-- Subscribers whose balance is below zero.
SELECT subject, currency, balance FROM balances WHERE balance < 0 ORDER BY subject;
