-- What tracks and analyses need of many fixes: by minute, by hour, and the speeds seen in each place; fixes with marks left out.

CREATE MATERIALIZED VIEW positions_1m
WITH (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.chunk_interval = '7 days') AS
SELECT
    courier_id,
    time_bucket(INTERVAL '1 minute', fixed_at) AS bucket,
    min(fixed_at) AS first_at,
    max(fixed_at) AS last_at,
    first(lat_e7, fixed_at) AS first_lat_e7,
    first(lon_e7, fixed_at) AS first_lon_e7,
    last(lat_e7, fixed_at) AS last_lat_e7,
    last(lon_e7, fixed_at) AS last_lon_e7,
    min(lat_e7) AS south_e7,
    max(lat_e7) AS north_e7,
    min(lon_e7) AS west_e7,
    max(lon_e7) AS east_e7,
    path_length_m(array_agg(lat_e7 ORDER BY fixed_at), array_agg(lon_e7 ORDER BY fixed_at)) AS distance_m,
    count(*) AS n_fixes,
    count(speed_cmps) AS n_speeds,
    sum(speed_cmps) AS speeds_cmps,
    max(speed_cmps) AS top_speed_cmps
FROM positions
WHERE marks = 0
GROUP BY courier_id, time_bucket(INTERVAL '1 minute', fixed_at)
WITH NO DATA;
COMMENT ON VIEW positions_1m IS
'Good fixes of a courier by minute. distance_m: along the fixes of the bucket; speeds_cmps: their sum.';

CREATE MATERIALIZED VIEW positions_1h
WITH (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.chunk_interval = '30 days') AS
SELECT
    courier_id,
    time_bucket(INTERVAL '1 hour', bucket) AS hour,
    min(first_at) AS first_at,
    max(last_at) AS last_at,
    first(first_lat_e7, bucket) AS first_lat_e7,
    first(first_lon_e7, bucket) AS first_lon_e7,
    last(last_lat_e7, bucket) AS last_lat_e7,
    last(last_lon_e7, bucket) AS last_lon_e7,
    min(south_e7) AS south_e7,
    max(north_e7) AS north_e7,
    min(west_e7) AS west_e7,
    max(east_e7) AS east_e7,
    joined_length_m(
        array_agg(distance_m ORDER BY bucket),
        array_agg(first_lat_e7 ORDER BY bucket), array_agg(first_lon_e7 ORDER BY bucket),
        array_agg(last_lat_e7 ORDER BY bucket), array_agg(last_lon_e7 ORDER BY bucket)
    ) AS distance_m,
    sum(n_fixes)::bigint AS n_fixes,
    sum(n_speeds)::bigint AS n_speeds,
    sum(speeds_cmps)::bigint AS speeds_cmps,
    max(top_speed_cmps) AS top_speed_cmps
FROM positions_1m
GROUP BY courier_id, time_bucket(INTERVAL '1 hour', bucket)
WITH NO DATA;
-- In the query `bucket` would have meant the minute's.
-- squawk-ignore renaming-column
ALTER VIEW positions_1h RENAME COLUMN hour TO bucket;
COMMENT ON VIEW positions_1h IS 'The same by hour, made from the minutes; distance_m includes the way between them.';

CREATE MATERIALIZED VIEW speeds_1h
WITH (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.chunk_interval = '30 days') AS
SELECT
    cell,
    mode,
    time_bucket(INTERVAL '1 hour', fixed_at) AS bucket,
    count(*) AS n_speeds,
    sum(speed_cmps) AS speeds_cmps,
    count(*) FILTER (WHERE speed_cmps >= 100) AS n_moving,
    sum(speed_cmps) FILTER (WHERE speed_cmps >= 100) AS moving_cmps,
    (sum(speed_cmps::bigint * speed_cmps) FILTER (WHERE speed_cmps >= 100))::bigint AS moving_squares
FROM positions
WHERE marks = 0 AND speed_cmps IS NOT NULL
GROUP BY cell, mode, time_bucket(INTERVAL '1 hour', fixed_at)
WITH NO DATA;
COMMENT ON VIEW speeds_1h IS
'Speeds that devices reported, by H3 cell, mode and hour: sums and counts; moving: 1 m/s and faster.';

CREATE FUNCTION positions_1m_between(since timestamptz, until timestamptz)
RETURNS SETOF positions_1m
LANGUAGE sql STABLE
AS $$
    SELECT * FROM positions_1m WHERE bucket >= since AND bucket < until
$$;
COMMENT ON FUNCTION positions_1m_between IS 'positions_1m with bucket from since until before until.';

CREATE FUNCTION positions_1h_between(since timestamptz, until timestamptz)
RETURNS SETOF positions_1h
LANGUAGE sql STABLE
AS $$
    SELECT * FROM positions_1h WHERE bucket >= since AND bucket < until
$$;
COMMENT ON FUNCTION positions_1h_between IS 'positions_1h with bucket from since until before until.';

CREATE FUNCTION speeds_1h_between(since timestamptz, until timestamptz)
RETURNS SETOF speeds_1h
LANGUAGE sql STABLE
AS $$
    SELECT * FROM speeds_1h WHERE bucket >= since AND bucket < until
$$;
COMMENT ON FUNCTION speeds_1h_between IS 'speeds_1h with bucket from since until before until.';

ALTER TABLE positions SET (
    timescaledb.enable_columnstore,
    timescaledb.segmentby = 'courier_id',
    timescaledb.orderby = 'fixed_at'
);
CALL add_columnstore_policy('positions', after => INTERVAL '2 days');

-- A fix may come 7 days late; the windows reach a little farther.
SELECT add_continuous_aggregate_policy(
    'positions_1m',
    start_offset => INTERVAL '8 days', end_offset => INTERVAL '2 minutes', schedule_interval => INTERVAL '1 minute'
);
SELECT add_continuous_aggregate_policy(
    'positions_1h',
    start_offset => INTERVAL '9 days', end_offset => INTERVAL '1 hour', schedule_interval => INTERVAL '10 minutes'
);
SELECT add_continuous_aggregate_policy(
    'speeds_1h',
    start_offset => INTERVAL '8 days', end_offset => INTERVAL '1 hour', schedule_interval => INTERVAL '10 minutes'
);
