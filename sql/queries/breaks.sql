-- name: start
-- $1 courier, $2 how long it is meant to last, $3 when it began. No row: one is going on, or the courier is gone.
INSERT INTO breaks (courier_id, duration_s, began_at)
SELECT c.id, $2, $3 FROM couriers AS c WHERE c.id = $1 AND c.deleted_at IS NULL FOR SHARE
ON CONFLICT (courier_id) WHERE ended_at IS NULL DO NOTHING
RETURNING id, courier_id, duration_s, began_at, ended_at;

-- name: end
-- $1 courier, $2 when. No row: none is going on.
UPDATE breaks SET ended_at = greatest($2, began_at) WHERE courier_id = $1 AND ended_at IS NULL
RETURNING id, courier_id, duration_s, began_at, ended_at;

-- name: end_many
-- $1 couriers, $2 when: those that are going on.
UPDATE breaks AS b SET ended_at = greatest($2, b.began_at)
FROM couriers AS c
WHERE b.courier_id = ANY($1::uuid[]) AND b.ended_at IS NULL AND c.id = b.courier_id
RETURNING b.id, b.courier_id, b.duration_s, b.began_at, b.ended_at, c.region;

-- name: last
-- $1 courier.
SELECT id, courier_id, duration_s, began_at, ended_at FROM breaks WHERE courier_id = $1
ORDER BY ended_at IS NULL DESC, began_at DESC, id DESC LIMIT 1;

-- name: list
-- $1 courier; those that had not ended by $2 and began before $3, each or NULL. The earliest first.
SELECT id, courier_id, duration_s, began_at, ended_at FROM breaks
WHERE
    courier_id = $1 AND ($2::timestamptz IS NULL OR ended_at IS NULL OR ended_at > $2)
    AND ($3::timestamptz IS NULL OR began_at < $3)
ORDER BY began_at, id;

-- name: of_couriers
-- $1 couriers: those that are going on, or began after $2.
SELECT id, courier_id, duration_s, began_at, ended_at FROM breaks
WHERE courier_id = ANY($1::uuid[]) AND (ended_at IS NULL OR began_at > $2)
ORDER BY courier_id, began_at, id;

-- name: going_on
-- $1 region: who is on a break there, and until when that is meant to last.
SELECT b.courier_id, least(b.began_at, '2200-01-01T00:00:00Z') + make_interval(secs => b.duration_s) AS until
FROM breaks AS b
INNER JOIN couriers AS c ON b.courier_id = c.id
WHERE c.region = $1 AND c.deleted_at IS NULL AND b.ended_at IS NULL
ORDER BY b.courier_id;
