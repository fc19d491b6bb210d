-- name: add
-- $1 hash, $2 courier, $3 who invites, $4 until when. No row: there is no such courier.
INSERT INTO invitations (hash, courier_id, created_by, expires_at)
SELECT $1, c.id, $3, $4 FROM couriers AS c WHERE c.id = $2 AND c.deleted_at IS NULL
RETURNING courier_id;

-- name: find
-- $1 hash, $2 now. What is left of it; no row: it was never made, has expired, or the courier is gone.
SELECT i.courier_id, i.expires_at, i.joined_at, i.connected_at, c.name, r.timezone
FROM invitations AS i
INNER JOIN couriers AS c ON i.courier_id = c.id
LEFT JOIN regions AS r ON c.region = r.id
WHERE i.hash = $1 AND i.expires_at > $2 AND c.deleted_at IS NULL;

-- name: join
-- $1 hash, $2 now. Of several who try at once one gets the row.
UPDATE invitations AS i SET joined_at = $2
FROM couriers AS c
WHERE i.hash = $1 AND i.expires_at > $2 AND i.joined_at IS NULL AND c.id = i.courier_id AND c.deleted_at IS NULL
RETURNING i.courier_id;

-- name: add_place
-- As add, of a place.
INSERT INTO invitations (hash, place_id, created_by, expires_at)
SELECT $1, p.id, $3, $4 FROM places AS p WHERE p.id = $2 AND p.deleted_at IS NULL
RETURNING place_id;

-- name: find_place
-- As find, of a place.
SELECT i.place_id, i.expires_at, i.joined_at, p.name, r.timezone
FROM invitations AS i
INNER JOIN places AS p ON i.place_id = p.id
LEFT JOIN regions AS r ON p.region = r.id
WHERE i.hash = $1 AND i.expires_at > $2 AND p.deleted_at IS NULL;

-- name: join_place
-- As join, of a place.
UPDATE invitations AS i SET joined_at = $2
FROM places AS p
WHERE i.hash = $1 AND i.expires_at > $2 AND i.joined_at IS NULL AND p.id = i.place_id AND p.deleted_at IS NULL
RETURNING i.place_id, p.name;

-- name: connect
-- As join, for a phone app.
UPDATE invitations AS i SET connected_at = $2
FROM couriers AS c
WHERE i.hash = $1 AND i.expires_at > $2 AND i.connected_at IS NULL AND c.id = i.courier_id AND c.deleted_at IS NULL
RETURNING i.courier_id;
