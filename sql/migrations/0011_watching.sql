-- What the watcher finds: stays, fence events, arrivals at stops and alerts, and the geofences it looks at.

CREATE TABLE geofences (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    region text NOT NULL REFERENCES regions (id),
    name text NOT NULL,
    geometry jsonb NOT NULL,
    radius_m double precision,
    tags text [] NOT NULL DEFAULT '{}',
    active jsonb NOT NULL DEFAULT '[]',
    timezone text NOT NULL DEFAULT 'UTC',
    dwell_s integer,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at timestamptz,
    CONSTRAINT geofence_has_name CHECK (length(trim(name)) BETWEEN 1 AND 200),
    CONSTRAINT point_has_radius CHECK ((geometry ->> 'type' = 'Point') = (radius_m IS NOT NULL)),
    CONSTRAINT dwell_takes_time CHECK (dwell_s > 0)
);
COMMENT ON COLUMN geofences.geometry IS 'GeoJSON Polygon or MultiPolygon, or a Point with radius_m; longitude first.';
COMMENT ON COLUMN geofences.active IS '[{weekdays: [0 is Monday], from: "HH:MM", to: "HH:MM"}]; empty: always.';
COMMENT ON COLUMN geofences.deleted_at IS 'A deleted fence stays, so that its events keep their meaning.';
CREATE INDEX geofences_in_force ON geofences (region, created_at, id) WHERE deleted_at IS NULL;

CREATE TABLE fence_events (
    courier_id uuid NOT NULL,
    fence_id uuid NOT NULL REFERENCES geofences (id),
    kind text NOT NULL,
    at timestamptz NOT NULL,
    region text NOT NULL,
    lat double precision NOT NULL,
    lon double precision NOT NULL,
    passed boolean NOT NULL,
    active boolean NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (courier_id, fence_id, at, kind),
    CONSTRAINT fence_event_kind_is_known CHECK (kind IN ('enter', 'exit', 'dwell'))
);
COMMENT ON COLUMN fence_events.at IS 'When the edge was crossed, between two fixes if need be.';
COMMENT ON COLUMN fence_events.passed IS 'Went straight through: too short inside to be confirmed by several fixes.';
COMMENT ON COLUMN fence_events.active IS 'Within the active hours of the fence; others notify nobody.';
CREATE INDEX fence_events_by_courier ON fence_events (courier_id, at);
CREATE INDEX fence_events_by_fence ON fence_events (fence_id, at);

CREATE TABLE stays (
    courier_id uuid NOT NULL,
    arrived_at timestamptz NOT NULL,
    departed_at timestamptz,
    region text NOT NULL,
    lat double precision NOT NULL,
    lon double precision NOT NULL,
    n_fixes integer NOT NULL,
    PRIMARY KEY (courier_id, arrived_at),
    CONSTRAINT stay_ends_after_it_began CHECK (departed_at >= arrived_at)
);
COMMENT ON TABLE stays IS 'Where couriers remained; a function of their fixes, whatever the order in which these came.';
COMMENT ON COLUMN stays.departed_at IS 'Time of the last fix at the place; NULL while the stay goes on.';

CREATE TABLE stop_visits (
    order_id uuid NOT NULL,
    kind text NOT NULL,
    courier_id uuid NOT NULL,
    region text NOT NULL,
    arrived_at timestamptz NOT NULL,
    departed_at timestamptz,
    PRIMARY KEY (order_id, kind, courier_id),
    CONSTRAINT visit_kind_is_known CHECK (kind IN ('pickup', 'dropoff')),
    CONSTRAINT visit_ends_after_it_began CHECK (departed_at >= arrived_at)
);
COMMENT ON TABLE stop_visits IS 'Arrivals at stops of a route as the fixes show them, beside what the courier pressed.';
CREATE INDEX stop_visits_by_courier ON stop_visits (courier_id, arrived_at);

CREATE TABLE recounts (
    courier_id uuid PRIMARY KEY,
    region text NOT NULL,
    from_at timestamptz NOT NULL,
    noted_at timestamptz NOT NULL
);
COMMENT ON TABLE recounts IS 'Couriers whose stays and fence events must be found again from history: late fixes came.';
COMMENT ON COLUMN recounts.noted_at IS 'History must hold everything received before this, before it is looked at.';
CREATE INDEX recounts_by_region ON recounts (region, noted_at);

CREATE TABLE watch_leases (
    region text PRIMARY KEY REFERENCES regions (id),
    holder text NOT NULL,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE watch_leases IS 'Who watches a region until when: a courier''s fixes must be read by one.';

CREATE TABLE alerts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    kind text NOT NULL,
    region text NOT NULL REFERENCES regions (id),
    courier_id uuid NOT NULL,
    order_id uuid,
    raised_at timestamptz NOT NULL,
    facts jsonb NOT NULL DEFAULT '{}',
    expected jsonb NOT NULL DEFAULT '{}',
    acknowledged_at timestamptz,
    acknowledged_by text,
    resolved_at timestamptz,
    resolution jsonb,
    CONSTRAINT acknowledged_by_somebody CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL)),
    CONSTRAINT resolved_after_raised CHECK (resolved_at >= raised_at)
);
COMMENT ON COLUMN alerts.facts IS 'What was seen when it was raised.';
COMMENT ON COLUMN alerts.expected IS 'What would have been in order.';
COMMENT ON COLUMN alerts.resolution IS 'What was seen when its cause had ended.';
-- Two watchers may both find a cause; only one alert comes of it.
CREATE UNIQUE INDEX one_open_alert_of_a_kind ON alerts (courier_id, kind, order_id) NULLS NOT DISTINCT
WHERE resolved_at IS NULL;
CREATE INDEX alerts_open ON alerts (region) WHERE resolved_at IS NULL;
CREATE INDEX alerts_by_time ON alerts (raised_at DESC, id DESC);
