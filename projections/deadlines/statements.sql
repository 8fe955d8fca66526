-- name: start
-- A subscriber's periods begin to count.
INSERT INTO clocks (subject, time_zone, passed_at, live) VALUES (:subject, :time_zone, :passed_at, 0);

-- name: hold
-- Time has passed up to an instant, and so many more orders or rentals are there.
-- key: subject
-- sum: count
UPDATE clocks SET passed_at = :passed_at, live = live + :count WHERE subject = :subject;

-- name: appoint
-- Something will happen at an instant; a later appointment replaces an earlier one.
-- key: subject, kind, reference
INSERT INTO appointments (subject, kind, reference, at) VALUES (:subject, :kind, :reference, :at)
ON CONFLICT (subject, kind, reference) DO UPDATE SET at = excluded.at;

-- name: cancel
-- It has happened, or will not.
DELETE FROM appointments WHERE subject = :subject AND kind = :kind AND reference = :reference;

-- name: cancel_all
-- The agreement has ended, and with it all that was appointed.
DELETE FROM appointments WHERE subject = :subject;
