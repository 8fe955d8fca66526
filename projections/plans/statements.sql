-- name: register
-- Notes what was agreed at registration.
INSERT INTO agreements (
    subject, regulations, regulations_version, currency, time_zone, holder, plan, first_account, registered_at
) VALUES (
    :subject, :regulations, :regulations_version, :currency, :time_zone, :holder, :plan, :first_account, :registered_at
);

-- name: refuse
-- The registration was refused.
-- key: subject
UPDATE agreements SET refused_at = :at WHERE subject = :subject;

-- name: verify
-- The documents were found in order.
-- key: subject
UPDATE agreements SET verified_at = :at WHERE subject = :subject;

-- name: fund
-- The first deposit came.
-- first: subject
UPDATE agreements SET funded_at = :at WHERE subject = :subject AND funded_at IS NULL;

-- name: conclude
-- The agreement stands.
-- key: subject
UPDATE agreements SET concluded_at = :at WHERE subject = :subject;

-- name: suspend
-- The company stopped the services.
-- key: subject
UPDATE agreements SET suspended_at = :at WHERE subject = :subject;

-- name: resume
-- The services go on.
-- key: subject
UPDATE agreements SET suspended_at = NULL WHERE subject = :subject;

-- name: announce_end
-- The agreement will end at an instant; an earlier end replaces a later one.
-- key: subject
UPDATE agreements SET ends_at = :ends_at WHERE subject = :subject;

-- name: terminate
-- The agreement has ended.
-- key: subject
UPDATE agreements SET terminated_at = :at, cause = :cause WHERE subject = :subject;

-- name: transfer
-- Another holder has all rights and duties.
-- key: subject
UPDATE agreements SET holder = :holder WHERE subject = :subject;

-- name: erase
-- The key of the personal data was destroyed.
-- key: subject
UPDATE agreements SET erased_at = :at WHERE subject = :subject;

-- name: schedule
-- A change of plan lies ahead.
INSERT INTO plan_changes (subject, version, from_plan, plan, requested_at, takes_effect_at)
VALUES (:subject, :version, :from_plan, :plan, :requested_at, :takes_effect_at);

-- name: settle
-- The pending change is over, one way or another.
-- first: subject
UPDATE plan_changes SET outcome = :outcome, settled_at = :at WHERE subject = :subject AND outcome IS NULL;

-- name: change
-- Another plan from now on.
-- key: subject
UPDATE agreements SET plan = :plan WHERE subject = :subject;
