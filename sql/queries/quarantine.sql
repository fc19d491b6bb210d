-- What could not be used. asyncpg: $1, $2.

-- name: insert_many
-- $1 courier ids (or null), $2 receipt times, $3 reasons, $4 sources, $5 payloads, $6 entries, $7 places, $8 digests
-- (or null); of one length.
-- What is stored already is skipped: the same entry again, or the same thing sent again.
INSERT INTO quarantine (courier_id, received_at, reason, source, payload, entry, place, digest)
SELECT sent.* FROM unnest(
    $1::uuid [], $2::timestamptz [], $3::text [], $4::text [], $5::bytea [], $6::text [], $7::int [], $8::bytea []
) AS sent (courier_id, received_at, reason, source, payload, entry, place, digest)
WHERE NOT EXISTS (SELECT FROM erased_couriers AS e WHERE e.courier_id = sent.courier_id)
ON CONFLICT DO NOTHING;

-- name: page
-- $1 courier or null, $2 reason or null, $3 ids before this or null, $4 how many; the newest first.
SELECT id, courier_id, received_at, reason, source, payload
FROM quarantine
WHERE ($1::uuid IS NULL OR courier_id = $1)
AND ($2::text IS NULL OR reason = $2)
AND ($3::bigint IS NULL OR id < $3)
ORDER BY id DESC
LIMIT $4;

-- name: delete_old
-- $1 receipt time: older ones go.
DELETE FROM quarantine WHERE received_at < $1;

-- name: erase
-- $1 courier.
DELETE FROM quarantine WHERE courier_id = $1;
