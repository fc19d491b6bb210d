-- name: insert
INSERT INTO share_links (hash, order_id, expires_at, created_by) VALUES ($1, $2, $3, $4);

-- name: get
SELECT l.order_id, l.expires_at, r.timezone
FROM share_links AS l
INNER JOIN orders AS o ON l.order_id = o.id
LEFT JOIN regions AS r ON o.region = r.id
WHERE l.hash = $1;
