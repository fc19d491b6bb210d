-- name: find_changed
-- $1 SHA-256 of tokens, $2 for each the version that is known, or NULL. What each is good for, with the facts of its
-- courier, where that has another version; id NULL: known, and unknown, revoked or expired by now. So what has not
-- changed, which is nearly all of it every few seconds, costs no row.
WITH asked AS (
    SELECT a.hash, a.version FROM unnest($1::bytea [], $2::bigint []) AS a (hash, version)
),

good AS (
    SELECT t.id, t.hash, coalesce(u.role, t.role) AS role, coalesce(u.name, t.name) AS name, t.courier_id, t.speed_unit,
           t.expires_at, c.region, c.mode, c.external_id, t.user_id,
           coalesce(CASE WHEN u.id IS NULL THEN t.regions ELSE u.regions END, '{}') AS regions,
           CASE WHEN u.id IS NULL THEN t.partner ELSE u.partner END AS partner, t.place_id,
           u.password_hash IS NOT NULL AS has_password, coalesce(u.must_change_password, false) AS must_change_password
    FROM tokens t
    LEFT JOIN couriers c ON c.id = t.courier_id
    LEFT JOIN users u ON u.id = t.user_id
    WHERE t.hash = any($1::bytea[])
      AND t.revoked_at IS NULL
      AND (t.expires_at IS NULL OR t.expires_at > now())
      AND (t.idle_s IS NULL OR t.seen_at > now() - make_interval(secs => t.idle_s))
      AND (t.courier_id IS NULL OR c.deleted_at IS NULL)
      AND (t.user_id IS NULL OR (u.deleted_at IS NULL AND u.disabled_at IS NULL))
),

versioned AS (
    SELECT good.*, hash_record_extended(good, 0) AS version FROM good
)

SELECT a.hash AS asked, v.* FROM asked a LEFT JOIN versioned v ON v.hash = a.hash
WHERE v.version IS DISTINCT FROM a.version;

-- name: add
-- $1 kind, $2 role, $3 courier id or NULL, $4 name, $5 prefix, $6 hash, $7 speed unit or NULL, $8 expires at or NULL,
-- $9 regions or NULL, $10 partner or NULL, $11 place or NULL.
INSERT INTO tokens (kind, role, courier_id, name, prefix, hash, speed_unit, expires_at, regions, partner, place_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
RETURNING id, created_at;

-- name: begin_session
-- $1 role, $2 name, $3 prefix, $4 hash, $5 expires at, $6 user id or NULL, $7 idle seconds, $8 address, $9 program.
INSERT INTO tokens (kind, role, name, prefix, hash, expires_at, user_id, idle_s, seen_at, ip, agent)
VALUES ('staff', $1, $2, $3, $4, $5, $6, $7, now(), $8, $9)
RETURNING id;

-- name: sessions
-- $1 user or NULL, $2 a session that is among them: those that go on, newest first.
SELECT id, created_at, expires_at, seen_at, ip, agent
FROM tokens
WHERE (user_id = $1 OR id = $2) AND idle_s IS NOT NULL AND revoked_at IS NULL AND expires_at > now()
  AND seen_at > now() - make_interval(secs => idle_s)
ORDER BY created_at DESC;

-- name: end_session
-- $1 session, $2 user or NULL: anybody's. Its hash; no row: there is no such session.
UPDATE tokens SET revoked_at = now()
WHERE id = $1 AND idle_s IS NOT NULL AND revoked_at IS NULL AND ($2::uuid IS NULL OR user_id = $2)
RETURNING hash;

-- name: seen
-- $1 sessions that asked for something. What is over stays over.
UPDATE tokens SET seen_at = now() WHERE id = any($1::uuid[]) AND seen_at > now() - make_interval(secs => idle_s);

-- name: list
-- Newest first; never the hash. $1 courier id or NULL, $2 before this instant or NULL, $3 most rows, $4 kind or NULL (of
-- which `session` is one), $5 only those that work.
SELECT id, kind, role, courier_id, name, prefix, speed_unit, created_at, expires_at, revoked_at,
       coalesce(regions, '{}') AS regions, partner, place_id
FROM tokens
WHERE ($1::uuid IS NULL OR courier_id = $1)
  AND ($2::timestamptz IS NULL OR created_at < $2)
  AND ($4::text IS NULL OR CASE WHEN idle_s IS NULL THEN kind ELSE 'session' END = $4)
  AND (NOT $5 OR (revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())))
ORDER BY created_at DESC
LIMIT $3;

-- name: revoke
-- $1 token id, $2 revoke only couriers' tokens. Its hash, so that caches can forget it; no row: there is no such token.
UPDATE tokens SET revoked_at = now()
WHERE id = $1 AND revoked_at IS NULL AND (NOT $2 OR kind = 'courier')
RETURNING hash;

-- name: count_admins
-- Administrators' tokens that work; sessions end by themselves.
SELECT count(*) FROM tokens
WHERE role = 'admin' AND idle_s IS NULL AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now());
