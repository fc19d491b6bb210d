-- Fixes, as tracking.history stores and reads them. asyncpg: $1, $2.

-- name: server
SELECT version();

-- name: take_turn
-- $1 slot. Holds the slot until the transaction ends; the number tells whether somebody else had it since. A writer that
-- is stopped in the middle keeps nobody waiting: the server ends its transaction after $2 milliseconds.
INSERT INTO position_turns AS held (slot, turn) VALUES ($1, 1)
ON CONFLICT (slot) DO UPDATE SET turn = held.turn + 1
RETURNING turn, set_config('idle_in_transaction_session_timeout', $2::text, TRUE) AS timeout;

-- name: take_all_turns
-- Waits for every writer, and makes each look again.
UPDATE position_turns SET turn = turn + 1;

-- name: prepare_for_late
-- Late fixes may touch compressed chunks: as many segments as need be, each found by constants in the plan.
SELECT set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true),
       set_config('plan_cache_mode', 'force_custom_plan', true);

-- name: erased
-- $1 courier ids.
SELECT courier_id FROM erased_couriers WHERE courier_id = ANY($1::uuid []);

-- name: latest
-- $1 courier ids, $2 an instant each: the latest row not before it, by place in $1.
SELECT
    asked.i - 1 AS i,
    latest.fixed_at
FROM unnest($1::uuid [], $2::timestamptz []) WITH ORDINALITY AS asked (courier_id, since, i)
CROSS JOIN LATERAL (
    SELECT p.fixed_at
    FROM positions AS p
    WHERE p.courier_id = asked.courier_id AND p.fixed_at >= asked.since
    ORDER BY p.fixed_at DESC
    LIMIT 1
) AS latest;

-- name: recent
-- $1 courier ids, $2 an instant each, $3 how many: the last fixes not before it that are not poor, by place in $1.
SELECT
    asked.i - 1 AS i,
    recent.fixed_at,
    recent.lat_e7,
    recent.lon_e7,
    recent.accuracy_dm,
    recent.marks
FROM unnest($1::uuid [], $2::timestamptz []) WITH ORDINALITY AS asked (courier_id, since, i)
CROSS JOIN LATERAL (
    SELECT p.fixed_at, p.lat_e7, p.lon_e7, p.accuracy_dm, p.marks
    FROM positions AS p
    WHERE p.courier_id = asked.courier_id AND p.fixed_at >= asked.since AND p.marks & 2 = 0
    ORDER BY p.fixed_at DESC
    LIMIT $3
) AS recent
ORDER BY asked.i, recent.fixed_at;

-- name: around
-- $1 courier ids, $2 first and $3 last instant of each span, $4 reach, $5 how many: all rows of each span, and the
-- nearest within reach before and after it that are not poor; by place in $1.
SELECT
    span.i - 1 AS i,
    near.*
FROM unnest($1::uuid [], $2::timestamptz [], $3::timestamptz []) WITH ORDINALITY
    AS span (courier_id, first_at, last_at, i)
CROSS JOIN LATERAL (
    (
        SELECT
            p.fixed_at, p.lat_e7, p.lon_e7, p.delay_s, p.speed_cmps, p.course_ddeg, p.accuracy_dm, p.altitude_m,
            p.battery_pct, p.mode, p.marks
        FROM positions AS p
        WHERE p.courier_id = span.courier_id AND p.fixed_at BETWEEN span.first_at AND span.last_at
    )
    UNION ALL
    (
        SELECT
            p.fixed_at, p.lat_e7, p.lon_e7, p.delay_s, p.speed_cmps, p.course_ddeg, p.accuracy_dm, p.altitude_m,
            p.battery_pct, p.mode, p.marks
        FROM positions AS p
        WHERE
            p.courier_id = span.courier_id AND p.marks & 2 = 0
            AND p.fixed_at < span.first_at AND p.fixed_at >= span.first_at - $4::interval
        ORDER BY p.fixed_at DESC
        LIMIT $5
    )
    UNION ALL
    (
        SELECT
            p.fixed_at, p.lat_e7, p.lon_e7, p.delay_s, p.speed_cmps, p.course_ddeg, p.accuracy_dm, p.altitude_m,
            p.battery_pct, p.mode, p.marks
        FROM positions AS p
        WHERE
            p.courier_id = span.courier_id AND p.marks & 2 = 0
            AND p.fixed_at > span.last_at AND p.fixed_at <= span.last_at + $4::interval
        ORDER BY p.fixed_at
        LIMIT $5
    )
) AS near;

-- name: insert_many
-- $1 couriers, $2 place in $1 from 1, $3 microseconds since the Unix epoch, $4 ... $14 the columns in order; arrays
-- $2 to $14 of one length. A fix already stored is skipped, so a retried batch is harmless.
INSERT INTO positions (
    courier_id, fixed_at, lat_e7, lon_e7, cell, delay_s, mode, marks, speed_cmps, course_ddeg, accuracy_dm, altitude_m,
    battery_pct
)
SELECT
    ($1::uuid [])[fix.courier],
    timestamptz 'epoch' + fix.us * interval '1 microsecond',
    fix.lat_e7, fix.lon_e7, fix.cell, fix.delay_s, fix.mode, fix.marks, fix.speed_cmps, fix.course_ddeg,
    fix.accuracy_dm, fix.altitude_m, fix.battery_pct
FROM unnest(
    $2::int [], $3::bigint [], $4::int [], $5::int [], $6::int [], $7::int [], $8::smallint [], $9::smallint [],
    $10::smallint [], $11::smallint [], $12::smallint [], $13::smallint [], $14::smallint []
) AS fix (
    courier, us, lat_e7, lon_e7, cell, delay_s, mode, marks, speed_cmps, course_ddeg, accuracy_dm, altitude_m,
    battery_pct
)
ON CONFLICT (courier_id, fixed_at) DO NOTHING;

-- name: mark
-- $1 courier, $2 fix time, $3 marks. One row a statement: constants find the segment of a compressed chunk.
UPDATE positions SET marks = $3 WHERE courier_id = $1 AND fixed_at = $2;

-- name: replace
-- $1 courier, $2 fix time, then a better version of that fix.
UPDATE positions
SET
    lat_e7 = $3, lon_e7 = $4, cell = $5, delay_s = $6, mode = $7, marks = $8, speed_cmps = $9, course_ddeg = $10,
    accuracy_dm = $11, altitude_m = $12, battery_pct = $13
WHERE courier_id = $1 AND fixed_at = $2;

-- name: track
-- $1 courier, $2 from, $3 until before, $4 later than (the cursor), $5 marked ones too, $6 how many.
SELECT
    fixed_at, lat_e7, lon_e7, delay_s, speed_cmps, course_ddeg, accuracy_dm, altitude_m, battery_pct, mode, marks
FROM positions
WHERE courier_id = $1 AND fixed_at >= $2 AND fixed_at < $3 AND fixed_at > $4 AND ($5 OR marks = 0)
ORDER BY fixed_at
LIMIT $6;

-- name: by_minute
-- $1 courier, $2 from, $3 until before, $4 later than (the cursor), $5 how many.
SELECT
    courier_id, bucket, first_at, last_at, first_lat_e7, first_lon_e7, last_lat_e7, last_lon_e7, south_e7, north_e7,
    west_e7, east_e7, distance_m, n_fixes, n_speeds, speeds_cmps, top_speed_cmps
FROM positions_1m_between($2, $3)
WHERE courier_id = $1 AND bucket > $4
ORDER BY bucket
LIMIT $5;

-- name: by_hour
SELECT
    courier_id, bucket, first_at, last_at, first_lat_e7, first_lon_e7, last_lat_e7, last_lon_e7, south_e7, north_e7,
    west_e7, east_e7, distance_m, n_fixes, n_speeds, speeds_cmps, top_speed_cmps
FROM positions_1h_between($2, $3)
WHERE courier_id = $1 AND bucket > $4
ORDER BY bucket
LIMIT $5;

-- name: last_of_region
-- $1 region, $2 not before (null: 8 days ago).
SELECT
    c.id AS courier_id,
    c.mode AS travels_by,
    p.*
FROM couriers AS c
CROSS JOIN LATERAL (
    SELECT
        fixed_at, lat_e7, lon_e7, delay_s, speed_cmps, course_ddeg, accuracy_dm, altitude_m, battery_pct, mode, marks
    FROM positions
    WHERE
        courier_id = c.id AND marks = 0
        AND fixed_at >= coalesce($2::timestamptz, now() - INTERVAL '8 days')
    ORDER BY fixed_at DESC
    LIMIT 1
) AS p
WHERE c.region = $1 AND c.deleted_at IS NULL;

-- name: observed_speeds
-- $1 from, $2 until before, $3 mode or null.
SELECT
    cell,
    mode,
    ((extract(ISODOW FROM bucket AT TIME ZONE 'UTC') - 1) * 24 + extract(HOUR FROM bucket AT TIME ZONE 'UTC'))::int
        AS hour_of_week,
    sum(n_speeds)::bigint AS n_speeds,
    sum(speeds_cmps)::bigint AS speeds_cmps,
    sum(n_moving)::bigint AS n_moving,
    coalesce(sum(moving_cmps), 0)::bigint AS moving_cmps,
    coalesce(sum(moving_squares), 0)::bigint AS moving_squares
FROM speeds_1h_between($1, $2)
WHERE ($3::smallint IS NULL OR mode = $3)
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3;

-- name: note_erased
-- $1 courier. With take_all_turns, so that no writer brings back what it holds in memory.
INSERT INTO erased_couriers (courier_id) VALUES ($1) ON CONFLICT (courier_id) DO NOTHING;

-- name: erase
DELETE FROM positions WHERE courier_id = $1;

-- name: erase_rollups
SELECT erase_position_rollups($1);

-- name: track_copy
-- As track, with the stand-ins of tracking.batch for NULL: rows of one layout. No semicolon: it goes into COPY (...).
SELECT
    fixed_at,
    lat_e7,
    lon_e7,
    delay_s,
    coalesce(speed_cmps, -1::smallint) AS speed_cmps,
    coalesce(course_ddeg, -1::smallint) AS course_ddeg,
    coalesce(accuracy_dm, -1::smallint) AS accuracy_dm,
    coalesce(altitude_m, (-32768)::smallint) AS altitude_m,
    coalesce(battery_pct, -1::smallint) AS battery_pct,
    mode,
    marks
FROM positions
WHERE courier_id = $1 AND fixed_at >= $2 AND fixed_at < $3 AND fixed_at > $4 AND ($5 OR marks = 0)
ORDER BY fixed_at
LIMIT $6
