-- name: move
-- Adds to a subscriber's balance and to what is outstanding.
-- key: subject
-- sum: balance, outstanding
INSERT INTO balances (subject, currency, balance, outstanding)
VALUES (:subject, :currency, :balance, :outstanding)
ON CONFLICT (subject) DO UPDATE SET
    balance = balances.balance + excluded.balance,
    outstanding = balances.outstanding + excluded.outstanding;
