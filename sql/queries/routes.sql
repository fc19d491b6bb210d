-- name: of_couriers
SELECT
    courier_id, region, version, stops, cost, source, planned_at, updated_at
FROM routes WHERE courier_id = ANY($1::uuid[]);

-- name: move
-- $1 courier, $2 region, $3 when: the courier goes on in another region, with nothing to do.
UPDATE routes SET region = $2, stops = '[]', version = version + 1, updated_at = $3 WHERE courier_id = $1;

-- name: lock_many
-- Holds routes until the transaction ends, in the order of their couriers so that nobody waits in a circle.
SELECT
    courier_id, region, version, stops, cost, source, planned_at, updated_at
FROM routes WHERE courier_id = ANY($1::uuid[]) ORDER BY courier_id FOR UPDATE;

-- name: remove_stops
-- $1 region, $2 order (as text), $3 kinds of stops, $4 when: takes the stops out of whatever route has them.
UPDATE routes AS r SET
    version = r.version + 1,
    updated_at = $4,
    stops = coalesce(
        (
            SELECT jsonb_agg(s.stop ORDER BY s.n)
            FROM jsonb_array_elements(r.stops) WITH ORDINALITY AS s (stop, n)
            WHERE NOT (s.stop ->> 'order_id' = $2::text AND s.stop ->> 'kind' = ANY($3::text[]))
        ),
        '[]'
    )
WHERE r.region = $1 AND r.stops @> jsonb_build_array(jsonb_build_object('order_id', $2::text))
RETURNING r.courier_id, r.version;

-- name: remove_orders
-- $1 couriers whose routes are held, $2 orders (as text), $3 when: takes all stops of the orders out of the routes.
UPDATE routes AS r SET
    version = r.version + 1,
    updated_at = $3,
    stops = coalesce(
        (
            SELECT jsonb_agg(s.stop ORDER BY s.n)
            FROM jsonb_array_elements(r.stops) WITH ORDINALITY AS s (stop, n)
            WHERE NOT s.stop ->> 'order_id' = ANY($2::text[])
        ),
        '[]'
    )
WHERE
    r.courier_id = ANY($1::uuid[])
    AND EXISTS (SELECT FROM jsonb_array_elements(r.stops) AS s (stop) WHERE s.stop ->> 'order_id' = ANY($2::text[]))
RETURNING r.courier_id, r.region, r.version;

-- name: append_stops
-- $1 courier, $2 region, $3 stops, $4 when: at the end of the courier's route, which is made when there is none.
INSERT INTO routes AS r (courier_id, region, stops, planned_at, updated_at)
VALUES ($1, $2, $3::jsonb, $4, $4)
ON CONFLICT (courier_id) DO UPDATE SET
    stops = r.stops || excluded.stops, version = r.version + 1, region = excluded.region, updated_at = $4
RETURNING courier_id, version;

-- name: forget_breaks
-- $1 courier: the breaks planned in the route have been taken, or are not any more; the stops stay as they are.
UPDATE routes AS r SET stops = coalesce(
    (
        SELECT jsonb_agg(s.stop - 'break_at' - 'break_s' ORDER BY s.n)
        FROM jsonb_array_elements(r.stops) WITH ORDINALITY AS s (stop, n)
    ),
    '[]'
)
WHERE r.courier_id = $1;

-- name: ensure
-- $1 region, $2 couriers: gives each a route, empty and in version 0, who has none.
INSERT INTO routes (courier_id, region, version)
SELECT given.courier_id, $1, 0 FROM unnest($2::uuid[]) AS given (courier_id)
ON CONFLICT (courier_id) DO NOTHING;

-- name: put_many
-- $1 couriers, $2 versions the routes must have, $3 stops, $4 costs, $5 whether the sequence of stops changed; $6 source,
-- $7 when, $8 the region they are planned in. Skips a route that somebody else changed first.
UPDATE routes AS r SET
    region = $8, stops = given.stops::jsonb, cost = given.cost::jsonb, source = $6, planned_at = $7,
    version = r.version + CASE WHEN given.changed THEN 1 ELSE 0 END,
    updated_at = CASE WHEN given.changed THEN $7 ELSE r.updated_at END
FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::boolean[])
    AS given (courier_id, version, stops, cost, changed)
WHERE r.courier_id = given.courier_id AND r.version = given.version
RETURNING r.courier_id, r.version;

-- name: view
-- A courier with the route in force, if there is one.
SELECT c.id, c.region, c.mode, r.version, r.stops, r.planned_at
FROM couriers AS c
LEFT JOIN routes AS r ON c.id = r.courier_id
WHERE c.id = $1 AND c.deleted_at IS NULL;

-- name: stops_before
-- $1 courier, $2 order (as text), $3 kind: how many stops of the courier's route come before that one; NULL: it has none.
SELECT s.place - 1
FROM routes AS r CROSS JOIN LATERAL jsonb_array_elements(r.stops) WITH ORDINALITY AS s (stop, place)
WHERE r.courier_id = $1 AND s.stop ->> 'order_id' = $2::text AND s.stop ->> 'kind' = $3
LIMIT 1;
