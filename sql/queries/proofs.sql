-- name: asked
-- $1 order, $2 region: what the region asks for, the order's code, and which kinds of pictures this attempt has.
SELECT
    (SELECT r.settings FROM regions AS r WHERE r.id = $2) AS settings,
    c.code,
    c.n_wrong,
    ARRAY(
        SELECT DISTINCT p.kind FROM order_pictures AS p
        WHERE p.order_id = o.id AND p.stored_at >= coalesce(o.picked_up_at, o.placed_at)
    ) AS kinds
FROM orders AS o LEFT JOIN order_codes AS c ON o.id = c.order_id
WHERE o.id = $1;

-- name: asked_of
-- $1 region, $2 orders: what the region asks for, and which of the orders have a code.
SELECT
    (SELECT r.settings FROM regions AS r WHERE r.id = $1) AS settings,
    ARRAY(SELECT c.order_id FROM order_codes AS c WHERE c.order_id = ANY($2::uuid[])) AS with_code;

-- name: code
SELECT code, n_wrong FROM order_codes WHERE order_id = $1;

-- name: make_code
-- $2 the code of an order that has none yet.
INSERT INTO order_codes (order_id, code) VALUES ($1, $2) ON CONFLICT (order_id) DO NOTHING;

-- name: set_code
-- $2 another code; counting begins anew.
INSERT INTO order_codes (order_id, code) VALUES ($1, $2)
ON CONFLICT (order_id) DO UPDATE SET code = excluded.code, n_wrong = 0;

-- name: was_wrong
UPDATE order_codes SET n_wrong = least(n_wrong + 1, 10000) WHERE order_id = $1;

-- name: add_picture
-- $1 id, $2 order, $3 courier, $4 kind, $5 the picture.
INSERT INTO order_pictures (id, order_id, courier_id, kind, content) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (id) DO NOTHING RETURNING stored_at;

-- name: n_pictures
SELECT count(*) FROM order_pictures WHERE order_id = $1;

-- name: pictures
-- Of an order, the oldest first.
SELECT id, order_id, courier_id, kind, stored_at FROM order_pictures WHERE order_id = $1 ORDER BY stored_at, id;

-- name: picture
SELECT id, order_id, kind, content, stored_at FROM order_pictures WHERE id = $1;

-- name: to_move
-- The oldest that is not a file yet, held until it is.
SELECT id, content FROM order_pictures
WHERE content IS NOT NULL AND id <> ALL($1::uuid[]) ORDER BY stored_at LIMIT 1 FOR UPDATE SKIP LOCKED;

-- name: moved
UPDATE order_pictures SET content = NULL WHERE id = $1;

-- name: gone
-- Files to delete; $1 those that could not be a moment ago.
SELECT id FROM pictures_gone WHERE id <> ALL($1::uuid[]) ORDER BY gone_at LIMIT 100;

-- name: forget_gone
DELETE FROM pictures_gone WHERE id = ANY($1::uuid[]);

-- name: waiting
-- How many are not files yet, and how many files are to be deleted.
SELECT
    (SELECT count(*) FROM order_pictures AS p WHERE p.content IS NOT NULL) AS to_move,
    (SELECT count(*) FROM pictures_gone AS g) AS to_delete;
