-- name: order
-- Notes an order for a number.
INSERT INTO rentals (subject, version, number, service, channels, autorenew, periods, prepaid, ordered_at)
VALUES (:subject, :version, :number, :service, :channels, :autorenew, :periods, :prepaid, :ordered_at);

-- name: charge
-- Notes the price and the end of the period that was charged last.
-- key: subject, number
UPDATE rentals SET plan = :plan, price = :price, currency = :currency, paid_until = :paid_until
WHERE subject = :subject AND number = :number AND ended_at IS NULL;

-- name: rent
-- The order becomes a rental; it may have been paid in another period than it was charged for.
-- key: subject, number
UPDATE rentals SET rented_at = :rented_at, term_ends_at = :term_ends_at, paid_until = :paid_until
WHERE subject = :subject AND number = :number AND ended_at IS NULL;

-- name: end
-- Closes an order or a rental.
-- first: subject, number
UPDATE rentals SET ended_at = :ended_at, end_reason = :reason
WHERE subject = :subject AND number = :number AND ended_at IS NULL;

-- name: renumber
-- The rental goes on under another number.
UPDATE rentals SET number = :new_number, new_number = NULL, replaced_on = NULL
WHERE subject = :subject AND number = :number AND ended_at IS NULL;

-- name: announce
-- The number will be replaced at an instant; a later announcement replaces an earlier one.
-- key: subject, number
UPDATE rentals SET new_number = :new_number, replaced_on = :replaced_on
WHERE subject = :subject AND number = :number AND ended_at IS NULL;

-- name: add_channels
-- More channels on the number.
-- key: subject, number
-- sum: count
UPDATE rentals SET channels = channels + :count
WHERE subject = :subject AND number = :number AND ended_at IS NULL;

-- name: suspend
-- The number is out of use; the oldest unpaid period counts.
-- first: subject, number
UPDATE rentals SET suspended_since = COALESCE(suspended_since, :since)
WHERE subject = :subject AND number = :number AND ended_at IS NULL;

-- name: resume
-- The number works again.
-- key: subject, number
UPDATE rentals SET suspended_since = NULL
WHERE subject = :subject AND number = :number AND ended_at IS NULL;

-- name: set_autorenew
-- Whether the rental goes on by itself.
-- key: subject, number
UPDATE rentals SET autorenew = :autorenew
WHERE subject = :subject AND number = :number AND ended_at IS NULL;

-- name: hold
-- Somebody holds a number from now on.
INSERT INTO tenures (number, subject, version, service, since)
VALUES (:number, :subject, :version, :service, :since);

-- name: hold_instead
-- Who holds one number holds another from now on, for the same service.
INSERT INTO tenures (number, subject, version, service, since)
SELECT :new_number, subject, :version, service, :since
FROM tenures
WHERE subject = :subject AND number = :number AND until IS NULL;

-- name: give_back
-- The number is no longer held.
-- first: subject, number
UPDATE tenures SET until = :until, reason = :reason
WHERE subject = :subject AND number = :number AND until IS NULL;
