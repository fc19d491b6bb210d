-- name: add
-- $1 region, $2 partner or NULL, then the columns as app/routes/places.py has them.
INSERT INTO places (
    region, partner, external_id, name, lat, lon, address, contact, instructions, hours, capacity, prepare_s, recipes, max_queue
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10::jsonb, $11, $12, $13::jsonb, $14)
RETURNING id;

-- name: get
-- With the clock of its region.
SELECT
    p.id, p.region, p.partner, p.external_id, p.name, p.lat, p.lon, p.address, p.contact, p.instructions, p.hours,
    p.capacity, p.prepare_s, p.recipes, p.max_queue, p.paused_until, p.version, p.created_at, p.updated_at, r.timezone
FROM places AS p INNER JOIN regions AS r ON p.region = r.id
WHERE p.id = $1 AND p.deleted_at IS NULL;

-- name: hold
-- Until the transaction ends; places are held before orders.
SELECT id FROM places WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE;

-- name: list
-- Oldest first. $1 region or NULL, $2 partner or NULL, $3 the only one or NULL; after ($4 created at, $5 id) or NULLs;
-- $6 most rows. With how many each has to make.
SELECT
    p.id, p.region, p.partner, p.external_id, p.name, p.lat, p.lon, p.address, p.contact, p.instructions, p.hours,
    p.capacity, p.prepare_s, p.recipes, p.max_queue, p.paused_until, p.version, p.created_at, p.updated_at, r.timezone
FROM places AS p INNER JOIN regions AS r ON p.region = r.id
WHERE
    p.deleted_at IS NULL
    AND ($1::text IS NULL OR p.region = $1)
    AND ($2::text IS NULL OR p.partner = $2)
    AND ($3::uuid IS NULL OR p.id = $3)
    AND ($4::timestamptz IS NULL OR (p.created_at, p.id) > ($4, $5::uuid))
ORDER BY p.created_at, p.id
LIMIT $6;

-- name: change
-- $1 place, then the columns as app/routes/places.py has them.
UPDATE places SET
    external_id = $2, name = $3, lat = $4, lon = $5, address = $6, contact = $7::jsonb, instructions = $8,
    hours = $9::jsonb, capacity = $10, prepare_s = $11, recipes = $12::jsonb, max_queue = $13,
    version = version + 1, updated_at = clock_timestamp()
WHERE id = $1 AND deleted_at IS NULL;

-- name: pause
-- $1 place, $2 until when, or NULL: it goes on.
UPDATE places SET paused_until = $2, version = version + 1, updated_at = clock_timestamp()
WHERE id = $1 AND deleted_at IS NULL;

-- name: remove
-- Its tokens work no longer. What says whom to ask for goes at once.
WITH gone AS (
    UPDATE tokens SET revoked_at = now() WHERE place_id = $1 AND revoked_at IS NULL
)

UPDATE places SET deleted_at = clock_timestamp(), contact = NULL, instructions = NULL
WHERE id = $1 AND deleted_at IS NULL;
