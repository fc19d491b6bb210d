-- name: insert
INSERT INTO order_comments (order_id, actor, role, body) VALUES ($1, $2, $3, $4)
RETURNING id, order_id, at, actor, role, body;

-- name: list
SELECT id, order_id, at, actor, role, body FROM order_comments WHERE order_id = $1 ORDER BY id;
