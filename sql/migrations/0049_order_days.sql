-- How well couriers and places were served, by day: a report over a year by either reads days, not a million orders.

CREATE TABLE order_days (
    region text NOT NULL REFERENCES regions (id),
    kind text NOT NULL,
    day timestamptz NOT NULL,
    courier_id uuid,
    lat_e4 integer,
    lon_e4 integer,
    address text,
    placed integer NOT NULL,
    delivered integer NOT NULL,
    promised integer NOT NULL,
    late integer NOT NULL,
    late_s double precision NOT NULL,
    offers integer NOT NULL,
    accepted integer NOT NULL,
    answered integer NOT NULL,
    doors bytea NOT NULL,
    CONSTRAINT order_days_are_of_a_kind CHECK (kind IN ('courier', 'place'))
);
CREATE UNIQUE INDEX order_days_once ON order_days (region, kind, day, courier_id, lat_e4, lon_e4) NULLS NOT DISTINCT;
CREATE INDEX order_days_by_day ON order_days (day);
COMMENT ON TABLE order_days IS 'Days (UTC) that are over, as they were counted (dispatch/reports/order_days.py).';
COMMENT ON COLUMN order_days.kind IS 'Of a courier (NULL: of nobody), or of a pickup place.';
COMMENT ON COLUMN order_days.lat_e4 IS 'The place in units of 1e-4 degrees.';
COMMENT ON COLUMN order_days.address IS 'One of the place''s; it goes when contacts of orders do.';
COMMENT ON COLUMN order_days.late_s IS 'Seconds that the late ones were late, together.';
COMMENT ON COLUMN order_days.doors IS
'Times from placed to delivered in units of 10 s, each with how many orders took it: integers of four bytes, the highest first.';

CREATE TABLE order_days_horizon (
    kept_until timestamptz NOT NULL,
    is_the_only_one boolean NOT NULL DEFAULT true PRIMARY KEY,
    CONSTRAINT one_days_horizon CHECK (is_the_only_one)
);
COMMENT ON TABLE order_days_horizon IS 'One row: days before this are in order_days, later ones are counted when asked for.';
INSERT INTO order_days_horizon (kept_until) VALUES ('-infinity');
