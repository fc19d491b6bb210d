-- What travel and service times are learned from: stops that were made, as tracked; and what was learned, for all processes.

CREATE TABLE tracked_stops (
    order_id uuid NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    kind text NOT NULL,
    courier_id uuid NOT NULL REFERENCES couriers (id) ON DELETE CASCADE,
    region text NOT NULL REFERENCES regions (id),
    mode text NOT NULL,
    destination_lat double precision NOT NULL,
    destination_lon double precision NOT NULL,
    origin_lat double precision,
    origin_lon double precision,
    departed_at timestamptz,
    arrived_at timestamptz,
    done_at timestamptz NOT NULL,
    service_s real,
    engine text,
    engine_s real,
    error_default real,
    error_engine real,
    tracked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (order_id, kind),
    CONSTRAINT kind_of_tracked_stop_is_known CHECK (kind IN ('pickup', 'dropoff')),
    CONSTRAINT mode_of_tracked_stop_is_known CHECK (mode IN ('car', 'motorcycle', 'bicycle', 'foot')),
    CONSTRAINT leg_is_whole CHECK (
        (origin_lat IS NULL) = (departed_at IS NULL) AND (origin_lat IS NULL) = (origin_lon IS NULL)
    ),
    CONSTRAINT leg_has_arrival CHECK (departed_at IS NULL OR arrived_at > departed_at),
    CONSTRAINT service_takes_time CHECK (service_s IS NULL OR service_s >= 0),
    CONSTRAINT engine_is_whole CHECK ((engine IS NULL) = (engine_s IS NULL) AND coalesce(engine_s > 0, true))
);
COMMENT ON TABLE tracked_stops IS
'Stops that were made: the leg to each and the stay at it, found in the track. A row without both is a stop whose track says nothing.';
COMMENT ON COLUMN tracked_stops.service_s IS 'Seconds from the arrival (or the opening of the window) to done.';
COMMENT ON COLUMN tracked_stops.engine_s IS 'What the routing engine expects the leg to take, seconds.';
COMMENT ON COLUMN tracked_stops.error_default IS
'log(real / predicted) of the leg, predicted without a map from what was learned before; NULL: nothing was.';
COMMENT ON COLUMN tracked_stops.error_engine IS 'The same, predicted from the engine''s time.';
CREATE INDEX tracked_stops_by_region ON tracked_stops (region, done_at DESC);
CREATE INDEX tracked_stops_by_courier ON tracked_stops (courier_id);

CREATE TABLE learned_models (
    region text NOT NULL REFERENCES regions (id) ON DELETE CASCADE,
    subject text NOT NULL,
    learned_at timestamptz NOT NULL,
    n integer NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (region, subject),
    CONSTRAINT learned_from_something CHECK (n > 0)
);
COMMENT ON TABLE learned_models IS 'What was learned from tracked_stops, ready to use; may be deleted, is made again.';
COMMENT ON COLUMN learned_models.subject IS 'mode:base of a travel-time model, or services.';
COMMENT ON COLUMN learned_models.n IS 'Legs or stays it was learned from.';
COMMENT ON COLUMN learned_models.body IS 'MessagePack, see dispatch/learning/model_bytes.py.';
