-- name: add_line
-- Writes one line of a statement.
INSERT INTO statement_lines (
    position, subject, version, type, effective_at, recorded_at, number, service, detail,
    period_start, period_end, currency, amount, outstanding
) VALUES (
    :position, :subject, :version, :type, :effective_at, :recorded_at, :number, :service, :detail,
    :period_start, :period_end, :currency, :amount, :outstanding
);
