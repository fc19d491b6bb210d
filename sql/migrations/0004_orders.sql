-- Orders with their history, offers, the routes in force, shifts, and what lets one dispatcher plan a region alone.

CREATE TABLE orders (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    region text NOT NULL REFERENCES regions (id),
    external_id text,
    customer_id text,
    state text NOT NULL DEFAULT 'placed',
    version integer NOT NULL DEFAULT 1,
    pickup_lat double precision NOT NULL,
    pickup_lon double precision NOT NULL,
    pickup_address text,
    pickup_contact jsonb,
    pickup_instructions text,
    pickup_opens_at timestamptz,
    pickup_due_at timestamptz,
    pickup_closes_at timestamptz,
    pickup_service_s integer NOT NULL,
    dropoff_lat double precision NOT NULL,
    dropoff_lon double precision NOT NULL,
    dropoff_address text,
    dropoff_contact jsonb,
    dropoff_instructions text,
    dropoff_opens_at timestamptz,
    dropoff_due_at timestamptz,
    dropoff_closes_at timestamptz,
    dropoff_service_s integer NOT NULL,
    placed_at timestamptz NOT NULL DEFAULT now(),
    ready_at timestamptz,
    ready_is_estimate boolean NOT NULL DEFAULT false,
    ready_error_s integer,
    size jsonb NOT NULL DEFAULT '{"units": 1}',
    modes text[],
    skills text[] NOT NULL DEFAULT '{}',
    priority smallint NOT NULL DEFAULT 0,
    courier_id uuid REFERENCES couriers (id),
    pinned boolean NOT NULL DEFAULT false,
    assigned_at timestamptz,
    accepted_at timestamptz,
    picked_up_at timestamptz,
    delivered_at timestamptz,
    closed_at timestamptz,
    close_reason text,
    proof jsonb,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT order_external_id_is_unique UNIQUE (external_id),
    CONSTRAINT order_state_is_known CHECK (
        state IN ('placed', 'assigned', 'accepted', 'picked_up', 'delivered', 'cancelled', 'failed', 'returned')
    ),
    CONSTRAINT order_version_counts_from_one CHECK (version >= 1),
    CONSTRAINT pickup_is_on_the_globe CHECK (pickup_lat BETWEEN -90 AND 90 AND pickup_lon BETWEEN -180 AND 180),
    CONSTRAINT dropoff_is_on_the_globe CHECK (dropoff_lat BETWEEN -90 AND 90 AND dropoff_lon BETWEEN -180 AND 180),
    CONSTRAINT pickup_window_is_in_order CHECK (
        coalesce(pickup_opens_at <= pickup_due_at, true) AND coalesce(pickup_due_at <= pickup_closes_at, true)
        AND coalesce(pickup_opens_at <= pickup_closes_at, true)
    ),
    CONSTRAINT dropoff_window_is_in_order CHECK (
        coalesce(dropoff_opens_at <= dropoff_due_at, true) AND coalesce(dropoff_due_at <= dropoff_closes_at, true)
        AND coalesce(dropoff_opens_at <= dropoff_closes_at, true)
    ),
    CONSTRAINT service_takes_no_negative_time CHECK (pickup_service_s >= 0 AND dropoff_service_s >= 0),
    CONSTRAINT placed_order_has_no_courier CHECK (state <> 'placed' OR (courier_id IS NULL AND NOT pinned)),
    CONSTRAINT order_under_way_has_courier CHECK (
        state NOT IN ('assigned', 'accepted', 'picked_up', 'delivered') OR courier_id IS NOT NULL
    ),
    CONSTRAINT picked_up_has_time CHECK (state NOT IN ('picked_up', 'delivered', 'returned') OR picked_up_at IS NOT NULL),
    CONSTRAINT delivered_has_time CHECK ((state = 'delivered') = (delivered_at IS NOT NULL)),
    CONSTRAINT closed_has_time CHECK (
        (state IN ('delivered', 'cancelled', 'failed', 'returned')) = (closed_at IS NOT NULL)
    )
);

COMMENT ON TABLE orders IS 'A customer''s request: one pickup stop, then one drop-off stop.';
COMMENT ON COLUMN orders.version IS 'Counts every change by one; each has its row in order_events.';
COMMENT ON COLUMN orders.pickup_due_at IS 'Later than this is late (end of a soft window).';
COMMENT ON COLUMN orders.pickup_closes_at IS 'Later than this is not allowed (end of a hard window).';
COMMENT ON COLUMN orders.dropoff_due_at IS 'Later than this is late: what the recipient was promised.';
COMMENT ON COLUMN orders.dropoff_closes_at IS 'Later than this is not allowed.';
COMMENT ON COLUMN orders.ready_error_s IS 'Typical error of an estimated ready time, seconds (one standard deviation).';
COMMENT ON COLUMN orders.size IS 'By dimension: units, weight_g, volume_ml; whole numbers.';
COMMENT ON COLUMN orders.modes IS 'Modes that may carry it; NULL: any.';

CREATE INDEX orders_open ON orders (region, placed_at)
WHERE state IN ('placed', 'assigned', 'accepted', 'picked_up');
CREATE INDEX orders_by_courier ON orders (courier_id, placed_at) WHERE courier_id IS NOT NULL;
CREATE INDEX orders_by_time ON orders (placed_at DESC, id DESC);

CREATE TABLE order_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    version integer NOT NULL,
    action text NOT NULL,
    from_state text,
    to_state text NOT NULL,
    courier_id uuid,
    actor text NOT NULL,
    role text NOT NULL,
    reason text,
    facts jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT every_version_has_one_event UNIQUE (order_id, version)
);
COMMENT ON TABLE order_events IS 'Every change of an order: what, by whom and why; written in its transaction.';

CREATE TABLE order_comments (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    role text NOT NULL,
    body text NOT NULL,
    CONSTRAINT comment_says_something CHECK (length(trim(body)) BETWEEN 1 AND 4000)
);
CREATE INDEX order_comments_by_order ON order_comments (order_id, id);

CREATE TABLE offers (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    order_id uuid NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    courier_id uuid NOT NULL REFERENCES couriers (id),
    region text NOT NULL REFERENCES regions (id),
    state text NOT NULL DEFAULT 'open',
    offered_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    answered_at timestamptz,
    reason text,
    facts jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT offer_state_is_known CHECK (state IN ('open', 'accepted', 'rejected', 'expired', 'withdrawn')),
    CONSTRAINT answered_offer_has_time CHECK ((state <> 'open') = (answered_at IS NOT NULL))
);
COMMENT ON TABLE offers IS 'Orders shown to couriers, and what they answered.';
-- An order is never offered to two couriers at once, whatever a dispatcher believes.
CREATE UNIQUE INDEX one_open_offer_an_order ON offers (order_id) WHERE state = 'open';
CREATE INDEX offers_open_by_courier ON offers (courier_id) WHERE state = 'open';
CREATE INDEX offers_by_order ON offers (order_id, offered_at);

CREATE TABLE routes (
    courier_id uuid PRIMARY KEY REFERENCES couriers (id) ON DELETE CASCADE,
    region text NOT NULL REFERENCES regions (id),
    version integer NOT NULL DEFAULT 1,
    stops jsonb NOT NULL DEFAULT '[]',
    cost jsonb NOT NULL DEFAULT '{}',
    source text NOT NULL DEFAULT 'manual',
    planned_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT route_stops_are_a_list CHECK (jsonb_typeof(stops) = 'array')
);
COMMENT ON TABLE routes IS 'The plan in force: what each courier is to do, in order.';
COMMENT ON COLUMN routes.version IS 'Counts changes of the sequence of stops, not of their expected times.';
COMMENT ON COLUMN routes.stops IS
'[{order_id, kind, arrives_at, starts_at, leaves_at, late_s}]; instants are seconds since the Unix epoch, or null.';
CREATE INDEX routes_by_region ON routes (region);

CREATE TABLE decisions (
    order_id uuid PRIMARY KEY REFERENCES orders (id) ON DELETE CASCADE,
    decided_at timestamptz NOT NULL,
    courier_id uuid,
    cost jsonb,
    reasons jsonb,
    CONSTRAINT decision_explains_itself CHECK ((courier_id IS NULL) = (cost IS NULL))
);
COMMENT ON TABLE decisions IS 'What the planner last thought of an open order: its courier and cost, or why it has none.';

CREATE TABLE shifts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    courier_id uuid NOT NULL REFERENCES couriers (id) ON DELETE CASCADE,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    breaks jsonb NOT NULL DEFAULT '[]',
    end_lat double precision,
    end_lon double precision,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT shift_ends_after_it_starts CHECK (starts_at < ends_at),
    CONSTRAINT shift_end_place_is_whole CHECK ((end_lat IS NULL) = (end_lon IS NULL)),
    CONSTRAINT shift_starts_once UNIQUE (courier_id, starts_at)
);
COMMENT ON COLUMN shifts.breaks IS
'[{opens_at, closes_at, duration_s}]; a pause starts within its window; instants in RFC 3339.';

CREATE TABLE idempotency_keys (
    caller text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status smallint,
    body jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (caller, key)
);
COMMENT ON TABLE idempotency_keys IS 'Answers already given, so that a repeated POST creates nothing twice.';
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_at);

CREATE TABLE dispatch_leases (
    region text PRIMARY KEY REFERENCES regions (id),
    holder text NOT NULL,
    token bigint NOT NULL,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE dispatch_leases IS 'Who plans a region until when. The token grows with every new holder.';

CREATE TABLE share_links (
    hash bytea PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    created_by text NOT NULL
);
COMMENT ON COLUMN share_links.hash IS 'SHA-256 of the token in the recipient''s link.';
CREATE INDEX share_links_by_order ON share_links (order_id);
