-- What goes out to other systems: every event is written in the transaction that makes the change, once for all ways
-- out, and waits in a queue of its own for each system that wants it.

CREATE TABLE outbox (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    type text NOT NULL,
    subject uuid NOT NULL,
    sequence bigint NOT NULL,
    region text NOT NULL,
    courier_id uuid,
    at timestamptz NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    data jsonb NOT NULL,
    CONSTRAINT one_event_a_step UNIQUE (subject, sequence)
);
COMMENT ON TABLE outbox IS 'Events for other systems, as they happened; kept for a while after they were sent.';
COMMENT ON COLUMN outbox.data IS 'Rows as they were then; what others get is made of them (app/gateway/events.py).';
CREATE INDEX outbox_by_time ON outbox (written_at);
CREATE INDEX outbox_by_courier ON outbox (courier_id) WHERE courier_id IS NOT NULL;

CREATE TABLE outbox_heads (
    subject uuid PRIMARY KEY,
    sequence bigint NOT NULL,
    at timestamptz NOT NULL
);
COMMENT ON TABLE outbox_heads IS 'The last number each subject''s events got; whoever writes the next one waits for it.';
CREATE INDEX outbox_heads_by_time ON outbox_heads (at);

CREATE TABLE event_targets (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    url text NOT NULL,
    description text NOT NULL DEFAULT '',
    types text [] NOT NULL DEFAULT '{}',
    region text REFERENCES regions (id),
    secrets text [] NOT NULL,
    old_secret_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    off_at timestamptz,
    off_reason text,
    failing_since timestamptz,
    n_failures integer NOT NULL DEFAULT 0,
    rests_until timestamptz,
    holder text,
    held_until timestamptz,
    CONSTRAINT signs_with_one_or_two CHECK (cardinality(secrets) BETWEEN 1 AND 2)
);
COMMENT ON TABLE event_targets IS 'Systems that want events over HTTP, and how it goes with each.';
COMMENT ON COLUMN event_targets.types IS 'Types of events, or beginnings of types that end in *; empty: all.';
COMMENT ON COLUMN event_targets.secrets IS 'The newest first; the second one signs as well until old_secret_until.';
COMMENT ON COLUMN event_targets.holder IS 'The process that sends to it until held_until.';

CREATE TABLE outbox_queue (
    target_id uuid NOT NULL REFERENCES event_targets (id) ON DELETE CASCADE,
    n bigint NOT NULL REFERENCES outbox (n) ON DELETE CASCADE,
    subject uuid NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (target_id, n)
);
COMMENT ON TABLE outbox_queue IS 'What still has to be sent, by system; of one subject the earlier event goes first.';
CREATE INDEX outbox_queue_by_subject ON outbox_queue (target_id, subject, n);
CREATE INDEX outbox_queue_by_event ON outbox_queue (n);

CREATE TABLE event_deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    target_id uuid NOT NULL REFERENCES event_targets (id) ON DELETE CASCADE,
    n bigint NOT NULL REFERENCES outbox (n) ON DELETE CASCADE,
    at timestamptz NOT NULL,
    attempt integer NOT NULL,
    status integer,
    took_ms integer NOT NULL,
    answer text,
    error text,
    again_at timestamptz,
    CONSTRAINT answered_or_failed CHECK (status IS NOT NULL OR error IS NOT NULL)
);
COMMENT ON TABLE event_deliveries IS 'Each attempt to send an event, with what came back.';
CREATE INDEX event_deliveries_by_target ON event_deliveries (target_id, id);
CREATE INDEX event_deliveries_by_event ON event_deliveries (n);

CREATE FUNCTION is_wanted(kind text, types text [])
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN types = '{}' OR EXISTS (
    SELECT FROM unnest(types) AS t (pattern)
    WHERE kind = t.pattern OR (right(t.pattern, 1) = '*' AND starts_with(kind, left(t.pattern, -1)))
);
COMMENT ON FUNCTION is_wanted IS 'Whether somebody who wants those types of events wants this one.';

CREATE FUNCTION put_event(kind text, about uuid, place text, happened_at timestamptz, whose uuid, facts jsonb)
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
    INSERT INTO outbox (type, subject, sequence, region, courier_id, at, data)
    VALUES ('postrider.' || kind, about, step, place, whose, happened_at, facts)
    RETURNING n INTO number;
    INSERT INTO outbox_queue (target_id, n, subject)
    SELECT t.id, number, about FROM event_targets AS t
    WHERE t.off_at IS NULL AND (t.region IS NULL OR t.region = place) AND is_wanted('postrider.' || kind, t.types);
END
$$;
COMMENT ON FUNCTION put_event IS 'Write an event, and queue it for everybody who wants it.';

CREATE FUNCTION tell_of_order() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    whole orders%ROWTYPE;
    facts jsonb;
    kind text;
BEGIN
    SELECT o.* INTO whole FROM orders AS o WHERE o.id = new.order_id;
    facts := jsonb_build_object('order', to_jsonb(whole), 'change', to_jsonb(new) - 'actor');
    kind := CASE
        WHEN new.action = 'place' THEN 'placed'
        WHEN new.action IN ('assign', 'reassign', 'transfer') THEN 'assigned'
        WHEN new.action = 'accept' THEN 'accepted'
        WHEN new.action = 'reject' THEN 'rejected'
        WHEN new.action IN ('picked_up', 'delivered', 'failed', 'returned') THEN new.action
        WHEN new.action = 'cancel' AND new.to_state = 'cancelled' THEN 'cancelled'
        WHEN new.to_state = 'returning' AND new.from_state IS DISTINCT FROM 'returning' THEN 'returning'
        WHEN new.to_state = 'placed' AND new.from_state IN ('assigned', 'accepted') THEN 'unassigned'
        ELSE 'changed'
    END;
    PERFORM put_event('order.' || kind, new.order_id, whole.region, new.at, new.courier_id, facts);
    IF kind = 'failed' AND new.to_state = 'returning' THEN
        PERFORM put_event('order.returning', new.order_id, whole.region, new.at, new.courier_id, facts);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER goes_out AFTER INSERT ON order_events FOR EACH ROW EXECUTE FUNCTION tell_of_order();

CREATE FUNCTION tell_of_offer() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    whole orders%ROWTYPE;
BEGIN
    SELECT o.* INTO whole FROM orders AS o WHERE o.id = new.order_id;
    PERFORM put_event(
        'order.offered', new.order_id, new.region, new.offered_at, new.courier_id,
        jsonb_build_object('order', to_jsonb(whole), 'offer', to_jsonb(new) - 'facts')
    );
    RETURN NULL;
END
$$;
CREATE TRIGGER goes_out AFTER INSERT ON offers FOR EACH ROW EXECUTE FUNCTION tell_of_offer();

CREATE FUNCTION tell_of_duty() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM put_event(
        CASE WHEN new.on_duty THEN 'courier.on_duty' ELSE 'courier.off_duty' END,
        new.id, new.region, new.updated_at, new.id, to_jsonb(new)
    );
    RETURN NULL;
END
$$;
CREATE TRIGGER goes_out AFTER UPDATE OF on_duty ON couriers FOR EACH ROW
WHEN (old.on_duty <> new.on_duty AND new.deleted_at IS NULL) EXECUTE FUNCTION tell_of_duty();
CREATE TRIGGER new_goes_out AFTER INSERT ON couriers FOR EACH ROW
WHEN (new.on_duty) EXECUTE FUNCTION tell_of_duty();

CREATE FUNCTION tell_of_break() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    place text;
BEGIN
    SELECT c.region INTO place FROM couriers AS c WHERE c.id = new.courier_id;
    PERFORM put_event(
        CASE WHEN new.ended_at IS NULL THEN 'courier.break_started' ELSE 'courier.break_ended' END,
        new.courier_id, place, coalesce(new.ended_at, new.began_at), new.courier_id, to_jsonb(new)
    );
    RETURN NULL;
END
$$;
CREATE TRIGGER goes_out AFTER INSERT ON breaks FOR EACH ROW EXECUTE FUNCTION tell_of_break();
CREATE TRIGGER end_goes_out AFTER UPDATE OF ended_at ON breaks FOR EACH ROW
WHEN (old.ended_at IS NULL AND new.ended_at IS NOT NULL) EXECUTE FUNCTION tell_of_break();

CREATE FUNCTION tell_of_alert() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF tg_op = 'INSERT' THEN
        PERFORM put_event('alert.raised', new.id, new.region, new.raised_at, new.courier_id, to_jsonb(new));
        RETURN NULL;
    END IF;
    IF old.acknowledged_at IS NULL AND new.acknowledged_at IS NOT NULL THEN
        PERFORM put_event('alert.acknowledged', new.id, new.region, new.acknowledged_at, new.courier_id, to_jsonb(new));
    END IF;
    IF old.resolved_at IS NULL AND new.resolved_at IS NOT NULL THEN
        PERFORM put_event('alert.resolved', new.id, new.region, new.resolved_at, new.courier_id, to_jsonb(new));
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER goes_out AFTER INSERT OR UPDATE ON alerts FOR EACH ROW EXECUTE FUNCTION tell_of_alert();

CREATE FUNCTION tell_of_fence() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM put_event(
        'geofence.' || CASE new.kind WHEN 'enter' THEN 'entered' WHEN 'exit' THEN 'exited' ELSE 'dwelled' END,
        new.fence_id, new.region, new.at, new.courier_id, to_jsonb(new)
    );
    RETURN NULL;
END
$$;
CREATE TRIGGER goes_out AFTER INSERT ON fence_events FOR EACH ROW EXECUTE FUNCTION tell_of_fence();
