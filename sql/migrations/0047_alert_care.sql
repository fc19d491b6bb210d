-- An alert may be somebody's to look after, and may rest until an instant at which it comes back by itself.
ALTER TABLE alerts
ADD COLUMN assigned_to text,
ADD COLUMN snoozed_until timestamptz,
ADD COLUMN snoozed_by text;
COMMENT ON COLUMN alerts.assigned_to IS 'The name of whoever looks after it; NULL: nobody in particular.';
COMMENT ON COLUMN alerts.snoozed_until IS 'It rests until then; in the past: it has come back.';
ALTER TABLE alerts ADD CONSTRAINT snoozed_by_somebody CHECK (
    (snoozed_until IS NULL) = (snoozed_by IS NULL)
) NOT VALID;
ALTER TABLE alerts ADD CONSTRAINT alert_instants_can_be_read CHECK (
    can_be_read(raised_at, acknowledged_at, snoozed_until, resolved_at)
) NOT VALID;
