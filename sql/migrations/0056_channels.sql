-- Messages to people: alerts to whoever looks after them, and to recipients how their orders go. What is to be said is
-- written in the transaction that makes it so, once a channel, and waits there until it was sent.

CREATE TABLE channels (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    url text NOT NULL,
    service text NOT NULL,
    description text NOT NULL DEFAULT '',
    audience text NOT NULL,
    kinds text [] NOT NULL DEFAULT '{}',
    region text REFERENCES regions (id),
    language text NOT NULL DEFAULT 'en',
    quiet_from time,
    quiet_to time,
    group_s integer NOT NULL DEFAULT 30,
    after_s integer NOT NULL DEFAULT 0,
    push jsonb,
    courier_id uuid,
    token_id uuid REFERENCES tokens (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    n_failures integer NOT NULL DEFAULT 0,
    rests_until timestamptz,
    held_until timestamptz,
    said_at timestamptz,
    last_error text,
    CONSTRAINT who_is_told CHECK (audience IN ('staff', 'recipients', 'courier')),
    CONSTRAINT quiet_has_an_end CHECK ((quiet_from IS NULL) = (quiet_to IS NULL)),
    CONSTRAINT push_is_somebodys CHECK ((push IS NULL) = (token_id IS NULL))
);
COMMENT ON TABLE channels IS 'Ways to tell people: services that Apprise knows, and browsers that asked for Web Push.';
COMMENT ON COLUMN channels.url IS 'As Apprise writes it, with its secrets; {phone} and {email} are the recipient''s.';
COMMENT ON COLUMN channels.kinds IS 'Kinds of alerts, or steps of an order; empty: all.';
COMMENT ON COLUMN channels.group_s IS 'What comes within so many seconds is said together.';
COMMENT ON COLUMN channels.after_s IS 'Told only of what nobody has acknowledged for so many seconds.';
COMMENT ON COLUMN channels.held_until IS 'Somebody sends to it until then.';
CREATE UNIQUE INDEX one_push_a_browser ON channels ((push ->> 'endpoint')) WHERE push IS NOT NULL;
CREATE INDEX channels_of_courier ON channels (courier_id) WHERE courier_id IS NOT NULL;
CREATE INDEX channels_of_token ON channels (token_id) WHERE token_id IS NOT NULL;

CREATE TABLE messages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel_id uuid NOT NULL REFERENCES channels (id) ON DELETE CASCADE,
    key text NOT NULL,
    kind text NOT NULL,
    alert_id uuid REFERENCES alerts (id) ON DELETE CASCADE,
    order_id uuid REFERENCES orders (id) ON DELETE CASCADE,
    made_at timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    done_at timestamptz,
    outcome text,
    CONSTRAINT once_a_channel UNIQUE (channel_id, key),
    CONSTRAINT done_somehow CHECK ((done_at IS NULL) = (outcome IS NULL))
);
COMMENT ON TABLE messages IS 'What is to be said, and what was; its words are made when it is sent.';
COMMENT ON COLUMN messages.outcome IS 'sent, needless (over meanwhile), given_up, or unsure: it may have been sent.';
CREATE INDEX messages_due ON messages (channel_id, due_at) WHERE done_at IS NULL;
CREATE INDEX messages_by_time ON messages (made_at);
CREATE INDEX messages_of_alert ON messages (alert_id) WHERE alert_id IS NOT NULL;
CREATE INDEX messages_of_order ON messages (order_id) WHERE order_id IS NOT NULL;

CREATE FUNCTION say_of_alert() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO messages (channel_id, key, kind, alert_id, due_at)
    SELECT c.id, 'alert:' || new.id, new.kind, new.id, now() + make_interval(secs => c.after_s)
    FROM channels AS c
    WHERE c.audience = 'staff' AND (c.region IS NULL OR c.region = new.region)
        AND (c.kinds = '{}' OR new.kind = ANY(c.kinds))
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER is_said AFTER INSERT ON alerts FOR EACH ROW EXECUTE FUNCTION say_of_alert();

CREATE FUNCTION say_of_order(about uuid, step text) RETURNS void
LANGUAGE sql
AS $$
    INSERT INTO messages (channel_id, key, kind, order_id, due_at)
    SELECT c.id, 'order:' || o.id || ':' || step, step, o.id, now()
    FROM orders AS o INNER JOIN channels AS c ON c.region IS NULL OR c.region = o.region
    WHERE o.id = about AND o.kind IN ('delivery', 'dropoff') AND o.dropoff_contact IS NOT NULL
        AND c.audience = 'recipients' AND (c.kinds = '{}' OR step = ANY(c.kinds))
    ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION say_of_order IS 'Tell the recipient of a step, once an order and channel.';

CREATE FUNCTION say_of_step() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM say_of_order(
        new.order_id,
        CASE new.action WHEN 'place' THEN 'placed' WHEN 'picked_up' THEN 'on_its_way' ELSE 'delivered' END
    );
    RETURN NULL;
END
$$;
CREATE TRIGGER is_said AFTER INSERT ON order_events FOR EACH ROW
WHEN (new.action IN ('place', 'picked_up', 'delivered')) EXECUTE FUNCTION say_of_step();

CREATE FUNCTION say_of_offer() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO messages (channel_id, key, kind, order_id, due_at)
    SELECT c.id, 'offer:' || coalesce(new.bundle_id, new.id), 'offer', new.order_id, now()
    FROM channels AS c WHERE c.audience = 'courier' AND c.courier_id = new.courier_id
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER is_said AFTER INSERT ON offers FOR EACH ROW EXECUTE FUNCTION say_of_offer();
