-- Who is deleted while something is written for it is told nothing, and whoever writes goes on: until now the row of the
-- queue referred to somebody who was gone, and an order could not be placed for it. The lock is the one that the
-- reference takes anyway; taken first, it waits for a deletion and then leaves out who is gone.

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
    WHERE t.off_at IS NULL AND (t.region IS NULL OR t.region = place) AND is_wanted('postrider.' || kind, t.types)
    FOR KEY SHARE OF t;
END
$$;

CREATE OR REPLACE FUNCTION say_of_alert() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO messages (channel_id, key, kind, alert_id, due_at)
    SELECT c.id, 'alert:' || new.id, new.kind, new.id, now() + make_interval(secs => c.after_s)
    FROM channels AS c
    WHERE c.audience = 'staff' AND (c.region IS NULL OR c.region = new.region)
        AND (c.kinds = '{}' OR new.kind = ANY(c.kinds))
    FOR KEY SHARE OF c
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION say_of_order(about uuid, step text) RETURNS void
LANGUAGE sql
AS $$
    INSERT INTO messages (channel_id, key, kind, order_id, due_at)
    SELECT c.id, 'order:' || o.id || ':' || step, step, o.id, now()
    FROM orders AS o INNER JOIN channels AS c ON c.region IS NULL OR c.region = o.region
    WHERE o.id = about AND o.kind IN ('delivery', 'dropoff') AND o.dropoff_contact IS NOT NULL
        AND c.audience = 'recipients' AND (c.kinds = '{}' OR step = ANY(c.kinds))
    FOR KEY SHARE OF c, o
    ON CONFLICT DO NOTHING
$$;

CREATE OR REPLACE FUNCTION say_of_offer() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO messages (channel_id, key, kind, order_id, due_at)
    SELECT c.id, 'offer:' || coalesce(new.bundle_id, new.id), 'offer', new.order_id, now()
    FROM channels AS c WHERE c.audience = 'courier' AND c.courier_id = new.courier_id
    FOR KEY SHARE OF c
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
