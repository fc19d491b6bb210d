-- name: note_many
-- $1 region; $2 couriers, $3 from when; $4 now. A note that is noted again is another one, and never an older one: who is
-- counting for the one before must not settle it, and what came before it must be in history before it is counted.
INSERT INTO recounts AS r (region, courier_id, from_at, noted_at)
SELECT $1, given.courier_id, given.from_at, $4
FROM unnest($2::uuid [], $3::timestamptz []) AS given (courier_id, from_at)
ON CONFLICT (courier_id) DO UPDATE SET
    from_at = least(r.from_at, excluded.from_at),
    noted_at = greatest(r.noted_at + INTERVAL '1 microsecond', excluded.noted_at), region = excluded.region;

-- name: due
-- $1 region, $2 noted before this, $3 how many: the longest waiting first. With how they travel: who counts them may
-- not have heard of them. $4 which of $5 parts of the region's couriers, by their ids' last two bytes
-- (`tracking.parts.place_of`).
SELECT r.courier_id, r.from_at, r.noted_at, c.mode
FROM recounts AS r
LEFT JOIN couriers AS c ON r.courier_id = c.id
WHERE
    r.region = $1 AND r.noted_at < $2
    AND ($5 = 1 OR ('x' || right(r.courier_id::text, 4))::bit(16)::int % $5::int = $4::int)
ORDER BY r.noted_at
LIMIT $3;

-- name: done
-- $1 courier, $2 as it was noted. A later note stays.
DELETE FROM recounts WHERE courier_id = $1 AND noted_at = $2;

-- name: fixes
-- $1 courier, $2 from. Those that are not poor, in order; a jump is found again by its neighbours.
SELECT fixed_at, lat_e7, lon_e7, accuracy_dm
FROM positions
WHERE courier_id = $1 AND fixed_at >= $2 AND marks & 2 = 0
ORDER BY fixed_at;

-- name: recent_fixes
-- $1 couriers, $2 from. Good ones, in order.
SELECT courier_id, fixed_at, lat_e7, lon_e7, accuracy_dm, battery_pct
FROM positions
WHERE courier_id = ANY($1::uuid []) AND fixed_at >= $2 AND marks = 0
ORDER BY courier_id, fixed_at;

-- name: between
-- $1 courier, $2 from, $3 before, $4 how many at most: good fixes in order.
SELECT fixed_at, lat_e7, lon_e7
FROM positions
WHERE courier_id = $1 AND fixed_at >= $2 AND fixed_at < $3 AND marks = 0
ORDER BY fixed_at
LIMIT $4;

-- name: erase
DELETE FROM recounts WHERE courier_id = $1;
