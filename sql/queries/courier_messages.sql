-- name: insert
-- $1 courier, $2 who, $3 role, $4 what. No row: the courier is gone. Holds the courier, for the oldest go meanwhile.
INSERT INTO courier_messages (courier_id, actor, role, body)
SELECT c.id, $2, $3, $4 FROM couriers AS c WHERE c.id = $1 AND c.deleted_at IS NULL FOR SHARE
RETURNING id, courier_id, at, actor, role, body;

-- name: keep
-- $1 courier, $2 how many are kept.
DELETE FROM courier_messages
WHERE courier_id = $1 AND id <= (
    SELECT m.id FROM courier_messages AS m WHERE m.courier_id = $1 ORDER BY m.id DESC OFFSET $2 LIMIT 1
);

-- name: list
-- $1 courier, $2 before this one (NULL: the newest), $3 most rows.
SELECT id, courier_id, at, actor, role, body FROM courier_messages
WHERE courier_id = $1 AND ($2::bigint IS NULL OR id < $2)
ORDER BY id DESC LIMIT $3;

-- name: region
-- $1 courier, none that was removed.
SELECT region FROM couriers WHERE id = $1 AND deleted_at IS NULL;
