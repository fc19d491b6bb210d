-- Places that prepare what couriers collect: when they are open, what they can make at once, and what of each order.

CREATE TABLE places (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    region text NOT NULL REFERENCES regions (id),
    partner text,
    external_id text,
    name text NOT NULL,
    lat double precision NOT NULL,
    lon double precision NOT NULL,
    address text,
    contact jsonb,
    instructions text,
    hours jsonb NOT NULL DEFAULT '[]',
    capacity integer NOT NULL DEFAULT 1,
    prepare_s integer NOT NULL DEFAULT 600,
    recipes jsonb NOT NULL DEFAULT '[]',
    max_queue integer,
    paused_until timestamptz,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CONSTRAINT place_has_a_name CHECK (length(trim(name)) BETWEEN 1 AND 200),
    CONSTRAINT place_is_on_earth CHECK (lat BETWEEN -90 AND 90 AND lon BETWEEN -180 AND 180),
    CONSTRAINT place_makes_something_at_once CHECK (capacity BETWEEN 1 AND 1000),
    CONSTRAINT place_takes_a_while CHECK (prepare_s BETWEEN 0 AND 86400),
    CONSTRAINT queue_has_room CHECK (max_queue >= 1)
);
CREATE UNIQUE INDEX places_by_external_id ON places (external_id) WHERE deleted_at IS NULL;
CREATE INDEX places_by_region ON places (region, created_at, id) WHERE deleted_at IS NULL;
COMMENT ON TABLE places IS 'Where orders are prepared and collected.';
COMMENT ON COLUMN places.partner IS 'Whose it is; NULL: everybody''s.';
COMMENT ON COLUMN places.hours IS 'When it works, by the region''s clock; none: always.';
COMMENT ON COLUMN places.capacity IS 'Orders, or batches of them, that are made at the same time.';
COMMENT ON COLUMN places.prepare_s IS 'How long what has no recipe takes, in seconds.';
COMMENT ON COLUMN places.recipes IS 'By item: minutes, how many in one go, for how long it is good.';
COMMENT ON COLUMN places.max_queue IS 'With so many to make it takes no more orders; NULL: any number.';
COMMENT ON COLUMN places.paused_until IS 'Nothing is begun before that.';

ALTER TABLE orders ADD COLUMN place_id uuid;
ALTER TABLE orders ADD CONSTRAINT order_is_of_a_place FOREIGN KEY (place_id) REFERENCES places (id) NOT VALID;
COMMENT ON COLUMN orders.place_id IS 'The place that prepares it; NULL: none that we know.';

CREATE TABLE place_tasks (
    order_id uuid PRIMARY KEY REFERENCES orders (id) ON DELETE CASCADE,
    lines jsonb NOT NULL DEFAULT '[]',
    duration_s integer NOT NULL,
    batch text,
    amount integer NOT NULL DEFAULT 1,
    shelf_s integer,
    asked_ready_at timestamptz,
    state text NOT NULL DEFAULT 'waiting',
    not_before timestamptz,
    until_at timestamptz,
    started_at timestamptz,
    ready_at timestamptz,
    problem text,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT task_state_is_known CHECK (state IN ('waiting', 'started', 'ready')),
    CONSTRAINT started_task_has_an_end CHECK (state <> 'started' OR (started_at IS NOT NULL AND until_at IS NOT NULL)),
    CONSTRAINT ready_task_has_time CHECK ((state = 'ready') = (ready_at IS NOT NULL))
);
COMMENT ON TABLE place_tasks IS 'What a place makes for an order, and what it said of that.';
COMMENT ON COLUMN place_tasks.duration_s IS 'Seconds from the beginning until it is ready.';
COMMENT ON COLUMN place_tasks.batch IS 'The item that is made in one go with others of the same; NULL: made alone.';
COMMENT ON COLUMN place_tasks.shelf_s IS 'It is good for so many seconds once it is ready; NULL: no bound.';
COMMENT ON COLUMN place_tasks.asked_ready_at IS 'When the order itself said that it is ready.';
COMMENT ON COLUMN place_tasks.not_before IS 'The place says that it is not ready before.';
COMMENT ON COLUMN place_tasks.until_at IS 'What was begun is ready then.';
COMMENT ON COLUMN place_tasks.problem IS 'Why the place says that it cannot make it.';

ALTER TABLE tokens ADD COLUMN place_id uuid;
ALTER TABLE tokens ADD CONSTRAINT token_is_of_a_place FOREIGN KEY (place_id) REFERENCES places (id) NOT VALID;
COMMENT ON COLUMN tokens.place_id IS 'Of a place''s token: whose.';

-- What was there before joins the courier, and so finds no invitation of a place.
-- squawk-ignore ban-drop-not-null
ALTER TABLE invitations ALTER COLUMN courier_id DROP NOT NULL;
ALTER TABLE invitations ADD COLUMN place_id uuid;
ALTER TABLE invitations ADD CONSTRAINT invitation_to_a_place FOREIGN KEY (place_id) REFERENCES places (id) NOT VALID;
ALTER TABLE invitations ADD CONSTRAINT invitation_is_of_one CHECK (num_nonnulls(courier_id, place_id) = 1) NOT VALID;
COMMENT ON COLUMN invitations.place_id IS 'The place that is invited, if no courier is.';
