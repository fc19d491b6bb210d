-- The names and answers of the continuous aggregates on plain PostgreSQL: views over the rows that are there, and tables
-- that keep what housekeeping made of rows before it deleted them.
-- Functions take the span, so that the index on the fixes' time can be used; the server inlines them.

CREATE TABLE rollup_horizons (
    of_table text PRIMARY KEY,
    kept_until timestamptz NOT NULL
);
INSERT INTO rollup_horizons (of_table, kept_until) VALUES ('positions', '-infinity'), ('positions_1m', '-infinity');
COMMENT ON TABLE rollup_horizons IS 'Rows of these tables older than kept_until, a whole hour, were rolled up and deleted.';

CREATE TABLE positions_1m_kept (
    courier_id uuid NOT NULL,
    bucket timestamptz NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    first_lat_e7 int NOT NULL,
    first_lon_e7 int NOT NULL,
    last_lat_e7 int NOT NULL,
    last_lon_e7 int NOT NULL,
    south_e7 int NOT NULL,
    north_e7 int NOT NULL,
    west_e7 int NOT NULL,
    east_e7 int NOT NULL,
    distance_m double precision NOT NULL,
    n_fixes bigint NOT NULL,
    n_speeds bigint NOT NULL,
    speeds_cmps bigint,
    top_speed_cmps smallint,
    PRIMARY KEY (courier_id, bucket)
);
CREATE INDEX positions_1m_kept_by_time ON positions_1m_kept USING brin (bucket);

CREATE FUNCTION positions_1m_made(since timestamptz, until timestamptz)
RETURNS SETOF positions_1m_kept
LANGUAGE sql STABLE
AS $$
    SELECT
        courier_id,
        date_bin(INTERVAL '1 minute', fixed_at, TIMESTAMPTZ 'epoch') AS bucket,
        min(fixed_at) AS first_at,
        max(fixed_at) AS last_at,
        (array_agg(lat_e7 ORDER BY fixed_at))[1] AS first_lat_e7,
        (array_agg(lon_e7 ORDER BY fixed_at))[1] AS first_lon_e7,
        (array_agg(lat_e7 ORDER BY fixed_at))[count(*)] AS last_lat_e7,
        (array_agg(lon_e7 ORDER BY fixed_at))[count(*)] AS last_lon_e7,
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
    WHERE
        marks = 0
        AND fixed_at >= (SELECT kept_until FROM rollup_horizons WHERE of_table = 'positions')
        AND fixed_at >= since AND fixed_at < until + INTERVAL '1 minute'
        AND date_bin(INTERVAL '1 minute', fixed_at, TIMESTAMPTZ 'epoch') >= since
        AND date_bin(INTERVAL '1 minute', fixed_at, TIMESTAMPTZ 'epoch') < until
    GROUP BY courier_id, date_bin(INTERVAL '1 minute', fixed_at, TIMESTAMPTZ 'epoch')
$$;

CREATE FUNCTION positions_1m_between(since timestamptz, until timestamptz)
RETURNS SETOF positions_1m_kept
LANGUAGE sql STABLE
AS $$
    SELECT * FROM positions_1m_made(since, until)
    UNION ALL
    SELECT * FROM positions_1m_kept WHERE bucket >= since AND bucket < until
$$;
COMMENT ON FUNCTION positions_1m_between IS 'positions_1m with bucket from since until before until.';

CREATE VIEW positions_1m AS SELECT * FROM positions_1m_between('-infinity', 'infinity');
COMMENT ON VIEW positions_1m IS
'Good fixes of a courier by minute. distance_m: along the fixes of the bucket; speeds_cmps: their sum.';

CREATE TABLE positions_1h_kept (LIKE positions_1m_kept);
ALTER TABLE positions_1h_kept ADD PRIMARY KEY (courier_id, bucket);
CREATE INDEX positions_1h_kept_by_time ON positions_1h_kept USING brin (bucket);

CREATE FUNCTION positions_1h_made(since timestamptz, until timestamptz)
RETURNS SETOF positions_1h_kept
LANGUAGE sql STABLE
AS $$
    SELECT
        courier_id,
        date_bin(INTERVAL '1 hour', bucket, TIMESTAMPTZ 'epoch') AS bucket,
        min(first_at) AS first_at,
        max(last_at) AS last_at,
        (array_agg(first_lat_e7 ORDER BY bucket))[1] AS first_lat_e7,
        (array_agg(first_lon_e7 ORDER BY bucket))[1] AS first_lon_e7,
        (array_agg(last_lat_e7 ORDER BY bucket))[count(*)] AS last_lat_e7,
        (array_agg(last_lon_e7 ORDER BY bucket))[count(*)] AS last_lon_e7,
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
    FROM positions_1m_between(since, until + INTERVAL '1 hour')
    WHERE
        bucket >= (SELECT kept_until FROM rollup_horizons WHERE of_table = 'positions_1m')
        AND date_bin(INTERVAL '1 hour', bucket, TIMESTAMPTZ 'epoch') >= since
        AND date_bin(INTERVAL '1 hour', bucket, TIMESTAMPTZ 'epoch') < until
    GROUP BY courier_id, date_bin(INTERVAL '1 hour', bucket, TIMESTAMPTZ 'epoch')
$$;

CREATE FUNCTION positions_1h_between(since timestamptz, until timestamptz)
RETURNS SETOF positions_1h_kept
LANGUAGE sql STABLE
AS $$
    SELECT * FROM positions_1h_made(since, until)
    UNION ALL
    SELECT * FROM positions_1h_kept WHERE bucket >= since AND bucket < until
$$;
COMMENT ON FUNCTION positions_1h_between IS 'positions_1h with bucket from since until before until.';

CREATE VIEW positions_1h AS SELECT * FROM positions_1h_between('-infinity', 'infinity');
COMMENT ON VIEW positions_1h IS 'The same by hour, made from the minutes; distance_m includes the way between them.';

CREATE TABLE speeds_1h_kept (
    cell int NOT NULL,
    mode smallint NOT NULL,
    bucket timestamptz NOT NULL,
    n_speeds bigint NOT NULL,
    speeds_cmps bigint,
    n_moving bigint NOT NULL,
    moving_cmps bigint,
    moving_squares bigint,
    PRIMARY KEY (cell, mode, bucket)
);
CREATE INDEX speeds_1h_kept_by_time ON speeds_1h_kept USING brin (bucket);

CREATE FUNCTION speeds_1h_made(since timestamptz, until timestamptz)
RETURNS SETOF speeds_1h_kept
LANGUAGE sql STABLE
AS $$
    SELECT
        cell,
        mode,
        date_bin(INTERVAL '1 hour', fixed_at, TIMESTAMPTZ 'epoch') AS bucket,
        count(*) AS n_speeds,
        sum(speed_cmps) AS speeds_cmps,
        count(*) FILTER (WHERE speed_cmps >= 100) AS n_moving,
        sum(speed_cmps) FILTER (WHERE speed_cmps >= 100) AS moving_cmps,
        (sum(speed_cmps::bigint * speed_cmps) FILTER (WHERE speed_cmps >= 100))::bigint AS moving_squares
    FROM positions
    WHERE
        marks = 0 AND speed_cmps IS NOT NULL
        AND fixed_at >= (SELECT kept_until FROM rollup_horizons WHERE of_table = 'positions')
        AND fixed_at >= since AND fixed_at < until + INTERVAL '1 hour'
        AND date_bin(INTERVAL '1 hour', fixed_at, TIMESTAMPTZ 'epoch') >= since
        AND date_bin(INTERVAL '1 hour', fixed_at, TIMESTAMPTZ 'epoch') < until
    GROUP BY cell, mode, date_bin(INTERVAL '1 hour', fixed_at, TIMESTAMPTZ 'epoch')
$$;

CREATE FUNCTION speeds_1h_between(since timestamptz, until timestamptz)
RETURNS SETOF speeds_1h_kept
LANGUAGE sql STABLE
AS $$
    SELECT * FROM speeds_1h_made(since, until)
    UNION ALL
    SELECT * FROM speeds_1h_kept WHERE bucket >= since AND bucket < until
$$;
COMMENT ON FUNCTION speeds_1h_between IS 'speeds_1h with bucket from since until before until.';

CREATE VIEW speeds_1h AS SELECT * FROM speeds_1h_between('-infinity', 'infinity');
COMMENT ON VIEW speeds_1h IS
'Speeds that devices reported, by H3 cell, mode and hour: sums and counts; moving: 1 m/s and faster.';
