-- name: holders_of
-- Who held a number, oldest first.
SELECT number, subject, service, since, until, reason
FROM tenures
WHERE number = :number
ORDER BY since, subject, version;

-- name: unpaid_rentals
-- Rentals of a subscriber whose paid period is over at an instant, or that are suspended.
SELECT version, number, COALESCE(suspended_since, paid_until)
FROM rentals
WHERE subject = :subject AND ended_at IS NULL AND rented_at IS NOT NULL
    AND (suspended_since IS NOT NULL OR paid_until <= :at)
ORDER BY 3, version;

-- name: all_unpaid_rentals
-- Every rental whose paid period is over at an instant, or that is suspended, with the regulations it is under.
SELECT rentals.subject, COALESCE(suspended_since, paid_until), agreements.regulations, agreements.time_zone
FROM rentals
JOIN agreements ON agreements.subject = rentals.subject
WHERE ended_at IS NULL AND rented_at IS NOT NULL AND (suspended_since IS NOT NULL OR paid_until <= :at);

-- name: rented_twice
-- Numbers that two subscribers held at once, and for how long.
SELECT one.number, one.subject, other.subject,
    CASE WHEN one.since < other.since THEN other.since ELSE one.since END,
    CASE
        WHEN one.until IS NULL THEN other.until
        WHEN other.until IS NULL OR one.until < other.until THEN one.until
        ELSE other.until
    END
FROM tenures AS one
JOIN tenures AS other ON other.number = one.number AND one.subject < other.subject
WHERE (other.until IS NULL OR one.since < other.until) AND (one.until IS NULL OR other.since < one.until)
ORDER BY one.number, one.subject, other.subject, 4;
