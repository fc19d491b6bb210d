-- An event goes on with the trace of the request that brought it about, where traces are on: the request says which in
-- its transaction (`postrider.trace`), and whoever sends the event or offers the order finds it here.

ALTER TABLE outbox ADD COLUMN trace text;
COMMENT ON COLUMN outbox.trace IS 'The traceparent (W3C Trace Context) of what brought it about; nothing where traces are off.';

CREATE OR REPLACE FUNCTION put_event(
    kind text, about uuid, place text, happened_at timestamptz, whose uuid, facts jsonb
)
RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    step bigint;
    number bigint;
BEGIN
    INSERT INTO outbox_heads AS h (subject, sequence, at) VALUES (about, 1, clock_timestamp())
    ON CONFLICT (subject) DO UPDATE SET sequence = h.sequence + 1, at = excluded.at
    RETURNING h.sequence INTO step;
    INSERT INTO outbox (type, subject, sequence, region, courier_id, at, data, trace)
    VALUES (
        'postrider.' || kind, about, step, place, whose, happened_at, facts,
        nullif(current_setting('postrider.trace', true), '')
    )
    RETURNING n INTO number;
    INSERT INTO outbox_queue (target_id, n, subject)
    SELECT t.id, number, about FROM event_targets AS t
    WHERE t.off_at IS NULL AND (t.region IS NULL OR t.region = place) AND is_wanted('postrider.' || kind, t.types);
END
$$;
