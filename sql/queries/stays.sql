-- name: put_many
-- $1 region; $2 couriers, $3 arrivals, $4 departures (NULL: goes on), $5 latitudes, $6 longitudes, $7 numbers of fixes;
-- of one length. Returns what is not as it was: whether the stay is new, and whether it has ended now.
INSERT INTO stays AS s (region, courier_id, arrived_at, departed_at, lat, lon, n_fixes)
SELECT $1, given.*
FROM unnest($2::uuid [], $3::timestamptz [], $4::timestamptz [], $5::float8 [], $6::float8 [], $7::int [])
    AS given (courier_id, arrived_at, departed_at, lat, lon, n_fixes)
ON CONFLICT (courier_id, arrived_at) DO UPDATE SET
    departed_at = excluded.departed_at, lat = excluded.lat, lon = excluded.lon, n_fixes = excluded.n_fixes
WHERE (s.departed_at, s.n_fixes) IS DISTINCT FROM (excluded.departed_at, excluded.n_fixes)
RETURNING courier_id, arrived_at, departed_at, xmax = 0 AS is_new;

-- name: withdraw_many
-- $1 couriers, $2 arrivals: an earlier fix turned up, it was not so.
DELETE FROM stays AS s
USING unnest($1::uuid [], $2::timestamptz []) AS given (courier_id, arrived_at)
WHERE s.courier_id = given.courier_id AND s.arrived_at = given.arrived_at;

-- name: of_courier_since
-- $1 courier, $2 instant.
SELECT arrived_at FROM stays WHERE courier_id = $1 AND arrived_at >= $2;

-- name: before
-- $1 courier, $2 instant: the last stay that had begun by then.
SELECT arrived_at, departed_at, lat, lon, n_fixes FROM stays
WHERE courier_id = $1 AND arrived_at <= $2
ORDER BY arrived_at DESC LIMIT 1;

-- name: erase
DELETE FROM stays WHERE courier_id = $1;
