-- name: add
-- $1 external id or NULL, $2 name, $3 mode, $4 region, $5 capacity, $6 skills, $7 most orders, $8 on duty,
-- $9 attributes (JSON), $10 fences, $11, $12 home, $13 range in metres, $14 partner.
INSERT INTO couriers (
    external_id, name, mode, region, capacity, skills, max_orders, on_duty, attributes, areas, home_lat, home_lon, range_m,
    partner
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10, $11, $12, $13, $14)
RETURNING id, external_id, name, mode, region, capacity, skills, max_orders, on_duty, attributes, areas, home_lat, home_lon, range_m, partner, version,
          created_at, updated_at;

-- name: find
-- $1 courier id; deleted couriers are not found.
SELECT id, external_id, name, mode, region, capacity, skills, max_orders, on_duty, attributes, areas, home_lat, home_lon, range_m, partner, version,
       created_at, updated_at
FROM couriers
WHERE id = $1 AND deleted_at IS NULL;

-- name: find_many
-- $1 courier ids. Region and mode of each that exists.
SELECT id, region, mode FROM couriers WHERE id = any($1::uuid[]) AND deleted_at IS NULL;

-- name: find_by_any_id
-- $1 external ids, $2 courier ids; each condition has an index of its own.
SELECT id, external_id FROM couriers WHERE deleted_at IS NULL AND (external_id = any($1::text[]) OR id = any($2::uuid[]));

-- name: list
-- Oldest first. $1 region, $2 mode, $3 external id, $4 on duty, $5 part of the name: each or NULL;
-- after ($6 created at, $7 id) or NULLs; $8 most rows; $9 partner or NULL.
SELECT id, external_id, name, mode, region, capacity, skills, max_orders, on_duty, attributes, areas, home_lat, home_lon, range_m, partner, version,
       created_at, updated_at
FROM couriers
WHERE deleted_at IS NULL
  AND ($1::text IS NULL OR region = $1)
  AND ($2::text IS NULL OR mode = $2)
  AND ($3::text IS NULL OR external_id = $3)
  AND ($4::boolean IS NULL OR on_duty = $4)
  AND ($5::text IS NULL OR strpos(lower(name), lower($5)) > 0)
  AND ($6::timestamptz IS NULL OR (created_at, id) > ($6, $7::uuid))
  AND ($9::text IS NULL OR partner = $9)
ORDER BY created_at, id
LIMIT $8;

-- name: change
-- $1 courier id, $2 the version it is expected to have, or NULL; then the new values in the order of `add`.
-- No row: it is gone, or its version is another.
UPDATE couriers
SET external_id = $3, name = $4, mode = $5, region = $6, capacity = $7, skills = $8, max_orders = $9, on_duty = $10,
    attributes = $11::jsonb, areas = $12, home_lat = $13, home_lon = $14, range_m = $15, partner = $16, version = version + 1, updated_at = now()
WHERE id = $1 AND deleted_at IS NULL AND ($2::integer IS NULL OR version = $2)
RETURNING id, external_id, name, mode, region, capacity, skills, max_orders, on_duty, attributes, areas, home_lat, home_lon, range_m, partner, version,
          created_at, updated_at;

-- name: remove
-- $1 courier id. The row stays, so that history keeps its meaning; its external id becomes free.
UPDATE couriers
SET deleted_at = now(), updated_at = now(), version = version + 1, on_duty = false, external_id = NULL
WHERE id = $1 AND deleted_at IS NULL
RETURNING id, region;

-- name: let_go_of_external_id
-- $1 courier id, $2 the external id from now on, or NULL. Before the one of now becomes free: what other systems told by
-- it, and was not done, stands by ours from here on, so that it goes with the courier. An order of theirs may have the
-- same id.
WITH theirs AS (
    SELECT external_id FROM couriers WHERE id = $1 AND external_id IS DISTINCT FROM $2::text
),

told AS (
    UPDATE inbox AS i SET subject = $1::uuid::text
    FROM theirs WHERE i.subject = theirs.external_id AND i.type NOT LIKE '%.order.%'
)

UPDATE outbox AS o SET data = jsonb_set(o.data, '{subject}', to_jsonb($1::uuid::text))
FROM theirs
WHERE
    o.type = 'postrider.command.refused' AND o.data ->> 'subject' = theirs.external_id
    AND coalesce(o.data ->> 'type', '') NOT LIKE '%.order.%';

-- name: find_even_deleted
-- $1 courier id.
SELECT id, region, deleted_at FROM couriers WHERE id = $1;

-- name: revoke_tokens
-- $1 courier id. The hashes, so that caches can forget them.
UPDATE tokens SET revoked_at = now() WHERE courier_id = $1 AND revoked_at IS NULL RETURNING hash;

-- name: regions
-- All regions.
SELECT id, name FROM regions ORDER BY id;

-- name: log_parts
-- How many parts each region's log shall have, $1 at most: one where nothing else stands in its settings.
SELECT
    id,
    CASE
        WHEN jsonb_typeof(settings #> '{tracking,streams}') = 'number'
            THEN least(greatest(trunc((settings #>> '{tracking,streams}')::numeric), 1), $1::int)::int
        ELSE 1
    END AS n
FROM regions
ORDER BY id;

-- name: colleagues
-- $1 courier id, $2 most rows. Who is at work in the courier's region for the same partner, the courier first.
SELECT c.id, c.external_id, c.name
FROM couriers AS me
INNER JOIN couriers AS c ON me.region = c.region AND c.partner IS NOT DISTINCT FROM me.partner
WHERE me.id = $1 AND c.deleted_at IS NULL AND (c.on_duty OR c.id = $1)
ORDER BY c.id <> $1, c.id
LIMIT $2;
