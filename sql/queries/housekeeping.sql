-- What tracking.history.housekeeping does. asyncpg: $1, $2.

-- name: has_timescaledb
SELECT count(*) > 0 FROM pg_extension WHERE extname = 'timescaledb';

-- name: take_turn
-- Until the end of the transaction; the number means nothing.
SELECT pg_advisory_xact_lock(7761739106);

-- name: fixes_of_a_day
-- $1 since.
SELECT coalesce(sum(n_fixes), 0)::bigint FROM positions_1h WHERE bucket >= $1;

-- name: chunk_length
SELECT time_interval
FROM timescaledb_information.dimensions
WHERE hypertable_name = 'positions' AND column_name = 'fixed_at';

-- name: set_chunk_length
SELECT set_chunk_time_interval('positions', $1::interval);

-- name: retention_of
-- $1 hypertable or continuous aggregate.
SELECT (j.config ->> 'drop_after')::interval
FROM timescaledb_information.jobs AS j
WHERE
    j.proc_name = 'policy_retention'
    AND j.hypertable_name = coalesce(
        (
            SELECT a.materialization_hypertable_name
            FROM timescaledb_information.continuous_aggregates AS a
            WHERE a.view_name = $1
        ),
        $1
    );

-- name: drop_retention
SELECT remove_retention_policy($1::text::regclass, if_exists => true);

-- name: add_retention
SELECT add_retention_policy($1::text::regclass, drop_after => $2::interval);

-- name: compression_of
SELECT (config ->> 'compress_after')::interval
FROM timescaledb_information.jobs
WHERE hypertable_name = 'positions' AND proc_name IN ('policy_compression', 'policy_columnstore');

-- name: drop_compression
CALL remove_columnstore_policy('positions', if_exists => true);

-- name: add_compression
CALL add_columnstore_policy('positions', after => $1::interval);

-- name: refresh_over
-- $1 continuous aggregate, $2 how far back from now its policy refreshes what has changed.
SELECT alter_job(j.job_id, config => jsonb_set(j.config, '{start_offset}', to_jsonb($2::interval::text)))
FROM timescaledb_information.jobs AS j
INNER JOIN timescaledb_information.continuous_aggregates AS a
    ON j.hypertable_name IN (a.view_name, a.materialization_hypertable_name) -- by version
WHERE
    a.view_name = $1
    AND j.proc_name = 'policy_refresh_continuous_aggregate'
    AND (j.config ->> 'start_offset')::interval <> $2::interval;

-- name: jobs
-- Finer ones first: the hours are made of the minutes.
SELECT job_id, schedule_interval
FROM timescaledb_information.jobs
WHERE job_id >= 1000 AND scheduled
ORDER BY schedule_interval, job_id;

-- name: run_job
CALL run_job($1);

-- name: begin_horizons
-- $1, $2: fixes and minutes before this are to go. Where nothing was rolled up yet, begin with the oldest row; later the
-- rows, of which no index tells the oldest, are not looked at.
WITH oldest AS (
    SELECT min(p.fixed_at) AS at
    FROM positions AS p
    WHERE EXISTS (SELECT FROM rollup_horizons WHERE kept_until = '-infinity')
)
UPDATE rollup_horizons AS h
SET kept_until = date_trunc(
    'hour',
    least(
        oldest.at,
        CASE h.of_table
            WHEN 'positions' THEN $1::timestamptz
            ELSE least($2::timestamptz, (SELECT min(m.bucket) FROM positions_1m_kept AS m))
        END
    ),
    'UTC'
)
FROM oldest
WHERE h.kept_until = '-infinity';

-- name: take_horizon
SELECT kept_until FROM rollup_horizons WHERE of_table = $1 FOR UPDATE;

-- name: move_horizon
UPDATE rollup_horizons SET kept_until = $2 WHERE of_table = $1;

-- name: keep_positions
-- $1 until before, a whole hour.
INSERT INTO positions_1m_kept (
    courier_id, bucket, first_at, last_at, first_lat_e7, first_lon_e7, last_lat_e7, last_lon_e7, south_e7, north_e7,
    west_e7, east_e7, distance_m, n_fixes, n_speeds, speeds_cmps, top_speed_cmps
)
SELECT
    courier_id, bucket, first_at, last_at, first_lat_e7, first_lon_e7, last_lat_e7, last_lon_e7, south_e7, north_e7,
    west_e7, east_e7, distance_m, n_fixes, n_speeds, speeds_cmps, top_speed_cmps
FROM positions_1m_made('-infinity', $1);

-- name: keep_speeds
INSERT INTO speeds_1h_kept (cell, mode, bucket, n_speeds, speeds_cmps, n_moving, moving_cmps, moving_squares)
SELECT cell, mode, bucket, n_speeds, speeds_cmps, n_moving, moving_cmps, moving_squares
FROM speeds_1h_made('-infinity', $1);

-- name: delete_positions
-- What lies in a part of one day goes with it: drop_days.
SELECT delete_positions_of_no_day($1);

-- name: bound_lock_wait
-- Until the end of the transaction.
SELECT set_config('lock_timeout', $1, true);

-- name: make_days
-- $1 first, $2 last day: makes the parts of positions that are missing. How many.
SELECT make_position_days($1, $2);

-- name: drop_days
-- Drops the days that are rolled up whole. How many.
SELECT drop_position_days(kept_until) FROM rollup_horizons WHERE of_table = 'positions';

-- name: missing_days
-- $1 first, $2 last day: those without a part of positions.
SELECT position_days_missing($1, $2) AS day;

-- name: fixes_of_no_day
-- $1 count no further. What lies in positions_default.
SELECT count(*) FROM (SELECT FROM positions_default LIMIT $1) AS d;

-- name: keep_positions_1m
INSERT INTO positions_1h_kept (
    courier_id, bucket, first_at, last_at, first_lat_e7, first_lon_e7, last_lat_e7, last_lon_e7, south_e7, north_e7,
    west_e7, east_e7, distance_m, n_fixes, n_speeds, speeds_cmps, top_speed_cmps
)
SELECT
    courier_id, bucket, first_at, last_at, first_lat_e7, first_lon_e7, last_lat_e7, last_lon_e7, south_e7, north_e7,
    west_e7, east_e7, distance_m, n_fixes, n_speeds, speeds_cmps, top_speed_cmps
FROM positions_1h_made('-infinity', $1);

-- name: delete_positions_1m
DELETE FROM positions_1m_kept WHERE bucket < $1;

-- name: drop_hours
DELETE FROM positions_1h_kept WHERE bucket < $1;

-- name: drop_speeds
DELETE FROM speeds_1h_kept WHERE bucket < $1;
