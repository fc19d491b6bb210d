-- Who looked at where couriers were is on record once an hour, however often the page asks.

ALTER TABLE audit_log ADD COLUMN looked_in timestamptz;
COMMENT ON COLUMN audit_log.looked_in IS 'Of a look at whereabouts: the hour it was in; it has no further row for that.';
-- No row has it yet.
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX one_look_an_hour ON audit_log (actor, action, subject, looked_in) WHERE looked_in IS NOT NULL;
