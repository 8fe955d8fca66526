-- name: agreement
-- What was agreed with a subscriber.
SELECT currency, time_zone, holder, plan, regulations FROM agreements WHERE subject = :subject;

-- name: plan_changes_of
-- Each change of plan that a subscriber asked for, oldest first.
SELECT version, from_plan, plan, requested_at, takes_effect_at, outcome, settled_at
FROM plan_changes
WHERE subject = :subject
ORDER BY version;
