-- name: put_many
-- $1 region; $2 couriers, $3 fences, $4 kinds, $5 instants, $6 latitudes, $7 longitudes, $8 passed, $9 active; of one
-- length. Returns those that were new: only these are told.
INSERT INTO fence_events (region, courier_id, fence_id, kind, at, lat, lon, passed, active)
SELECT $1, given.*
FROM unnest(
    $2::uuid [], $3::uuid [], $4::text [], $5::timestamptz [], $6::float8 [], $7::float8 [], $8::bool [], $9::bool []
) AS given (courier_id, fence_id, kind, at, lat, lon, passed, active)
ON CONFLICT DO NOTHING
RETURNING courier_id, fence_id, kind, at, passed, active;

-- name: withdraw_many
-- $1 couriers, $2 fences, $3 kinds, $4 instants: an earlier fix turned up, it was not so.
DELETE FROM fence_events AS e
USING unnest($1::uuid [], $2::uuid [], $3::text [], $4::timestamptz []) AS given (courier_id, fence_id, kind, at)
WHERE
    e.courier_id = given.courier_id AND e.fence_id = given.fence_id AND e.at = given.at AND e.kind = given.kind;

-- name: of_courier_since
-- $1 courier, $2 instant.
SELECT fence_id, kind, at FROM fence_events WHERE courier_id = $1 AND at >= $2;

-- name: inside_before
-- $1 courier, $2 instant: fences the courier was in then, since when, and whether dwelling was told.
SELECT
    latest.fence_id,
    latest.at,
    EXISTS (
        SELECT FROM fence_events AS d
        WHERE
            d.courier_id = $1 AND d.fence_id = latest.fence_id AND d.kind = 'dwell'
            AND d.at >= latest.at AND d.at < $2
    ) AS dwelt
FROM (
    SELECT DISTINCT ON (e.fence_id) e.fence_id, e.kind, e.at
    FROM fence_events AS e
    WHERE e.courier_id = $1 AND e.at < $2 AND e.kind IN ('enter', 'exit')
    ORDER BY e.fence_id ASC, e.at DESC
) AS latest
INNER JOIN geofences AS g ON latest.fence_id = g.id
WHERE latest.kind = 'enter' AND g.deleted_at IS NULL;

-- name: list
-- Newest first. $1 region, $2 fence, $3 courier: each or NULL; $4 from, $5 before; $6, $7, $8, $9 the last one seen
-- (instant, courier, fence, kind) or NULLs; $10 most rows.
SELECT courier_id, fence_id, kind, at, lat, lon, passed, active, recorded_at
FROM fence_events
WHERE
    ($1::text IS NULL OR region = $1)
    AND ($2::uuid IS NULL OR fence_id = $2)
    AND ($3::uuid IS NULL OR courier_id = $3)
    AND ($4::timestamptz IS NULL OR at >= $4)
    AND ($5::timestamptz IS NULL OR at < $5)
    AND ($6::timestamptz IS NULL OR (at, courier_id, fence_id, kind) < ($6, $7::uuid, $8::uuid, $9::text))
ORDER BY at DESC, courier_id DESC, fence_id DESC, kind DESC
LIMIT $10;

-- name: erase
DELETE FROM fence_events WHERE courier_id = $1;
