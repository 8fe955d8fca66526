-- name: use
-- Notes a report of a call or message.
INSERT INTO usage_reports (
    position, subject, version, usage, number, service, effective_at, minutes, units, included,
    currency, amount, rate, elapsed_seconds, ended, cut_off
) VALUES (
    :position, :subject, :version, :usage, :number, :service, :effective_at, :minutes, :units, :included,
    :currency, :amount, :rate, :elapsed_seconds, :ended, :cut_off
);
