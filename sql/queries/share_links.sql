-- name: insert
INSERT INTO share_links (hash, order_id, expires_at, created_by) VALUES ($1, $2, $3, $4);

-- name: get
SELECT order_id, expires_at FROM share_links WHERE hash = $1;
