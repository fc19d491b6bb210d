-- name: add
-- $1 region, $2 name, $3 GeoJSON, $4 radius in metres or NULL, $5 tags, $6 active hours (JSON), $7 time zone, $8 dwell
-- time in seconds or NULL.
INSERT INTO geofences (region, name, geometry, radius_m, tags, active, timezone, dwell_s)
VALUES ($1, $2, $3::jsonb, $4, $5, $6::jsonb, $7, $8)
RETURNING id, region, name, geometry, radius_m, tags, active, timezone, dwell_s, created_at, deleted_at, version;

-- name: get
SELECT
    id, region, name, geometry, radius_m, tags, active, timezone, dwell_s, created_at, deleted_at, version
FROM geofences WHERE id = $1 AND deleted_at IS NULL;

-- name: list
-- Oldest first. $1 region or NULL, $2 tag or NULL; after ($3 created at, $4 id) or NULLs; $5 most rows.
SELECT id, region, name, geometry, radius_m, tags, active, timezone, dwell_s, created_at, deleted_at, version FROM geofences
WHERE
    deleted_at IS NULL
    AND ($1::text IS NULL OR region = $1)
    AND ($2::text IS NULL OR $2 = ANY(tags))
    AND ($3::timestamptz IS NULL OR (created_at, id) > ($3, $4::uuid))
ORDER BY created_at, id
LIMIT $5;

-- name: lock
-- $1 fence, held until the transaction ends.
SELECT
    id, region, name, geometry, radius_m, tags, active, timezone, dwell_s, created_at, deleted_at, version
FROM geofences WHERE id = $1 AND deleted_at IS NULL
FOR UPDATE;

-- name: change
-- $1 fence, $2 name, $3 GeoJSON, $4 radius in metres or NULL, $5 tags, $6 active hours (JSON), $7 time zone, $8 dwell
-- time in seconds or NULL.
UPDATE geofences SET
    name = $2, geometry = $3::jsonb, radius_m = $4, tags = $5, active = $6::jsonb, timezone = $7, dwell_s = $8,
    version = version + 1
WHERE id = $1 AND deleted_at IS NULL
RETURNING id, region, name, geometry, radius_m, tags, active, timezone, dwell_s, created_at, deleted_at, version;

-- name: remove
UPDATE geofences SET deleted_at = clock_timestamp() WHERE id = $1 AND deleted_at IS NULL RETURNING id, region;

-- name: ids_in_force
-- What a watcher compares with what it knows.
SELECT id, version FROM geofences WHERE region = $1 AND deleted_at IS NULL;

-- name: many
SELECT
    id, region, name, geometry, radius_m, tags, active, timezone, dwell_s, created_at, deleted_at, version
FROM geofences WHERE id = ANY($1::uuid []);
