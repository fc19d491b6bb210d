-- name: find_many_by_hash
-- $1 SHA-256 of tokens. What each is good for, with the facts of its courier; no row: unknown, revoked, expired.
SELECT t.id, t.hash, t.role, t.name, t.courier_id, t.speed_unit, t.expires_at, c.region, c.mode, c.external_id
FROM tokens t
LEFT JOIN couriers c ON c.id = t.courier_id
WHERE t.hash = any($1::bytea[])
  AND t.revoked_at IS NULL
  AND (t.expires_at IS NULL OR t.expires_at > now())
  AND (t.courier_id IS NULL OR c.deleted_at IS NULL);

-- name: add
-- $1 kind, $2 role, $3 courier id or NULL, $4 name, $5 prefix, $6 hash, $7 speed unit or NULL, $8 expires at or NULL.
INSERT INTO tokens (kind, role, courier_id, name, prefix, hash, speed_unit, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
RETURNING id, created_at;

-- name: list
-- Newest first; never the hash. $1 courier id or NULL, $2 before this instant or NULL, $3 most rows.
SELECT id, kind, role, courier_id, name, prefix, speed_unit, created_at, expires_at, revoked_at
FROM tokens
WHERE ($1::uuid IS NULL OR courier_id = $1)
  AND ($2::timestamptz IS NULL OR created_at < $2)
ORDER BY created_at DESC
LIMIT $3;

-- name: revoke
-- $1 token id, $2 revoke only couriers' tokens. Its hash, so that caches can forget it; no row: there is no such token.
UPDATE tokens SET revoked_at = now()
WHERE id = $1 AND revoked_at IS NULL AND (NOT $2 OR kind = 'courier')
RETURNING hash;

-- name: count_admins
-- Administrators' tokens that work.
SELECT count(*) FROM tokens
WHERE role = 'admin' AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now());
