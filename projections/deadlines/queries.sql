-- name: time_zones
-- The zones that periods are counted in.
SELECT DISTINCT time_zone FROM clocks ORDER BY time_zone;

-- name: periods_ended
-- Subscribers with something that a period's end may touch, and no fact that shows time to have passed it.
SELECT subject, passed_at FROM clocks
WHERE time_zone = :time_zone AND live > 0 AND passed_at < :boundary
ORDER BY subject;

-- name: appointments
-- What was appointed for an instant not after a given one.
SELECT subject, kind, at FROM appointments WHERE at <= :until ORDER BY at, subject;
