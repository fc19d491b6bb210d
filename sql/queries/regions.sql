-- name: settings
-- $1 region.
SELECT settings FROM regions WHERE id = $1;

-- name: list
SELECT id, name, timezone, settings, version, created_at, updated_at FROM regions ORDER BY id;

-- name: get
SELECT id, name, timezone, settings, version, created_at, updated_at FROM regions WHERE id = $1;

-- name: lock
SELECT id, name, timezone, settings, version, created_at, updated_at FROM regions WHERE id = $1 FOR NO KEY UPDATE;

-- name: hold
-- Nobody else adds a region until the transaction ends; whoever refers to one goes on.
LOCK TABLE regions IN SHARE ROW EXCLUSIVE MODE;

-- name: count
SELECT count(*) FROM regions;

-- name: add
-- $1 id, $2 title, $3 time zone, $4 settings. No row: there is one of that id.
INSERT INTO regions (id, name, timezone, settings) VALUES ($1, $2, $3, $4::jsonb)
ON CONFLICT (id) DO NOTHING
RETURNING id, name, timezone, settings, version, created_at, updated_at;

-- name: change
-- $1 id, $2 title, $3 time zone, $4 settings, $5 the version it is expected to have. No row: it has another.
UPDATE regions
SET name = $2, timezone = $3, settings = $4::jsonb, version = version + 1, updated_at = clock_timestamp()
WHERE id = $1 AND version = $5
RETURNING id, name, timezone, settings, version, created_at, updated_at;
