-- From when an order that is handed over later is worth planning: in one place, and never an error whatever a row says.

CREATE FUNCTION collect_from(
    opens_at timestamptz,
    ahead_s double precision,
    pickup_lat double precision,
    pickup_lon double precision,
    dropoff_lat double precision,
    dropoff_lon double precision
)
RETURNS timestamptz
LANGUAGE sql STABLE
-- Underflow is an error in PostgreSQL, and one order's would be its region's: hence cosd for cos(radians()), and a
-- difference of at least 1e-9 degrees (0.1 mm). Nothing opens before 1970; the way on foot takes a second a metre.
RETURN greatest(opens_at, '1970-01-01T00:00:00Z') - make_interval(
    secs => ahead_s + 111320 * sqrt(
        greatest(abs(dropoff_lat - pickup_lat), 1e-9) ^ 2
        + (greatest(abs(dropoff_lon - pickup_lon), 1e-9) * cosd(pickup_lat)) ^ 2
    )
);
COMMENT ON FUNCTION collect_from IS
'`ahead_s` seconds and the way on foot before the drop-off at (WGS 84, degrees) opens; null without an opening.';
