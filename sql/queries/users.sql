-- name: add
-- $1 name, $2 role, $3 regions, $4 partner or NULL, $5 password hash or NULL, $6 must change it. No row: the name is taken.
INSERT INTO users (name, role, regions, partner, password_hash, must_change_password)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (lower(name)) WHERE deleted_at IS NULL DO NOTHING
RETURNING id, name, role, regions, partner, must_change_password, version, created_at, updated_at, signed_in_at,
          password_hash IS NOT NULL AS has_password, totp_since IS NOT NULL AS has_second_factor,
          disabled_at IS NOT NULL AS disabled,
          EXISTS (SELECT FROM user_identities AS i WHERE i.user_id = users.id) AS by_provider;

-- name: get
-- $1 id.
SELECT id, name, role, regions, partner, must_change_password, version, created_at, updated_at, signed_in_at,
       password_hash IS NOT NULL AS has_password, totp_since IS NOT NULL AS has_second_factor,
       disabled_at IS NOT NULL AS disabled,
       EXISTS (SELECT FROM user_identities AS i WHERE i.user_id = users.id) AS by_provider
FROM users WHERE id = $1 AND deleted_at IS NULL;

-- name: list
-- By name, from after $1 (lower case) or NULL; $2 most rows.
SELECT id, name, role, regions, partner, must_change_password, version, created_at, updated_at, signed_in_at,
       password_hash IS NOT NULL AS has_password, totp_since IS NOT NULL AS has_second_factor,
       disabled_at IS NOT NULL AS disabled,
       EXISTS (SELECT FROM user_identities AS i WHERE i.user_id = users.id) AS by_provider
FROM users WHERE deleted_at IS NULL AND ($1::text IS NULL OR lower(name) > $1)
ORDER BY lower(name) LIMIT $2;

-- name: change
-- $1 id, $2 version or NULL, $3 role, $4 regions, $5 partner or NULL, $6 whether disabled. No row: it is gone, or has
-- another version.
UPDATE users SET
    role = $3, regions = $4, partner = $5, version = version + 1, updated_at = now(),
    disabled_at = CASE WHEN $6::boolean THEN coalesce(disabled_at, now()) END
WHERE id = $1 AND deleted_at IS NULL AND ($2::integer IS NULL OR version = $2)
RETURNING id, name, role, regions, partner, must_change_password, version, created_at, updated_at, signed_in_at,
          password_hash IS NOT NULL AS has_password, totp_since IS NOT NULL AS has_second_factor,
          disabled_at IS NOT NULL AS disabled,
          EXISTS (SELECT FROM user_identities AS i WHERE i.user_id = users.id) AS by_provider;

-- name: remove
-- $1 id. The row stays, so that the audit log keeps its meaning; what lets somebody in goes.
UPDATE users SET
    deleted_at = now(), updated_at = now(), version = version + 1, password_hash = NULL, totp_secret = NULL,
    totp_since = NULL, recovery_hashes = '{}'
WHERE id = $1 AND deleted_at IS NULL
RETURNING name;

-- name: admins_beside
-- $1 id: administrators beside this one, held so that two cannot leave at once.
SELECT id FROM users WHERE role = 'admin' AND deleted_at IS NULL AND disabled_at IS NULL AND id <> $1 FOR SHARE;

-- name: count
-- Whether there ever was anybody.
SELECT count(*) FROM users;

-- name: end_sessions
-- $1 user, $2 a session that goes on, or NULL. The hashes, so that caches can forget them.
UPDATE tokens SET revoked_at = now()
WHERE user_id = $1 AND revoked_at IS NULL AND ($2::uuid IS NULL OR id <> $2)
RETURNING hash;

-- name: secrets
-- $1 name: what is needed to let that person in.
SELECT id, name, role, password_hash, must_change_password, totp_since IS NOT NULL AS has_second_factor
FROM users WHERE lower(name) = lower($1) AND deleted_at IS NULL AND disabled_at IS NULL;

-- name: secrets_of
-- $1 id.
SELECT id, name, role, password_hash, must_change_password, totp_since IS NOT NULL AS has_second_factor
FROM users WHERE id = $1 AND deleted_at IS NULL AND disabled_at IS NULL;

-- name: signed_in
-- $1 id.
UPDATE users SET signed_in_at = now() WHERE id = $1;

-- name: set_password
-- $1 id, $2 hash, $3 the hash it had or NULL. No row: it was changed meanwhile.
UPDATE users SET password_hash = $2, must_change_password = false, updated_at = now()
WHERE id = $1 AND deleted_at IS NULL AND password_hash IS NOT DISTINCT FROM $3
RETURNING id;

-- name: rehash
-- $1 id, $2 hash, $3 the hash it had: of the same password, with today's parameters.
UPDATE users SET password_hash = $2 WHERE id = $1 AND password_hash = $3;

-- name: reset
-- $1 id, $2 also the second factor.
UPDATE users SET
    password_hash = NULL, must_change_password = true, updated_at = now(),
    totp_secret = CASE WHEN NOT $2::boolean THEN totp_secret END,
    totp_since = CASE WHEN NOT $2::boolean THEN totp_since END,
    recovery_hashes = CASE WHEN $2::boolean THEN '{}'::bytea [] ELSE recovery_hashes END
WHERE id = $1 AND deleted_at IS NULL
RETURNING name;

-- name: totp
-- $1 id.
SELECT totp_secret, totp_step, totp_since FROM users WHERE id = $1 AND deleted_at IS NULL;

-- name: begin_totp
-- $1 id, $2 secret. No row: there is a second factor already.
UPDATE users SET totp_secret = $2, totp_step = NULL WHERE id = $1 AND deleted_at IS NULL AND totp_since IS NULL
RETURNING id;

-- name: confirm_totp
-- $1 id, $2 the secret that was shown, $3 step of the code, $4 hashes of recovery codes.
UPDATE users SET totp_since = now(), totp_step = $3, recovery_hashes = $4, updated_at = now()
WHERE id = $1 AND totp_since IS NULL AND totp_secret = $2
RETURNING id;

-- name: use_totp
-- $1 id, $2 step. No row: a code of that step or a later one was used.
UPDATE users SET totp_step = $2 WHERE id = $1 AND (totp_step IS NULL OR totp_step < $2) RETURNING id;

-- name: use_recovery
-- $1 id, $2 hash of the code. No row: there is no such code any more.
UPDATE users SET recovery_hashes = array_remove(recovery_hashes, $2)
WHERE id = $1 AND $2 = any(recovery_hashes) RETURNING id;

-- name: remove_totp
-- $1 id.
UPDATE users SET totp_secret = NULL, totp_since = NULL, totp_step = NULL, recovery_hashes = '{}', updated_at = now()
WHERE id = $1;

-- name: even_removed
-- $1 id.
SELECT id, name, deleted_at FROM users WHERE id = $1;

-- name: erase
-- $1 id: what is left of a person who was removed, but for the name.
UPDATE users SET regions = '{}', partner = NULL, signed_in_at = NULL, updated_at = now()
WHERE id = $1 AND deleted_at IS NOT NULL;

-- name: erase_identities
DELETE FROM user_identities WHERE user_id = $1;

-- name: erase_sessions
UPDATE tokens SET ip = NULL, agent = NULL, seen_at = NULL WHERE user_id = $1;

-- name: erase_facts
-- $1 id: what was done to the person stays, without what that was.
UPDATE audit_log SET facts = '{}' WHERE subject = 'user:' || $1::uuid AND facts <> '{}';

-- name: erase_addresses
-- $1 name: where what the person did came from. That it was done, and by whom, stays.
UPDATE audit_log SET ip = NULL
WHERE ip IS NOT NULL AND role <> 'courier' AND substr(actor, strpos(actor, ':') + 1) = $1;

-- name: held_user
-- $1 id: what the person is shown of themselves; no secret is.
SELECT to_jsonb(u) - 'password_hash' - 'totp_secret' - 'totp_step' - 'recovery_hashes' AS facts
FROM users AS u WHERE u.id = $1;

-- name: held_sessions
-- $1 id.
SELECT to_jsonb(t) - 'hash' AS facts FROM tokens AS t WHERE t.user_id = $1 ORDER BY t.created_at;

-- name: held_identities
-- $1 id.
SELECT to_jsonb(i) AS facts FROM user_identities AS i WHERE i.user_id = $1 ORDER BY i.created_at;

-- name: held_audit
-- $1 name, $2 beyond this row (0: from the first), $3 most rows: what the person did.
SELECT
    a.id,
    jsonb_build_object('at', a.at, 'role', a.role, 'action', a.action, 'subject', a.subject, 'ip', a.ip) AS facts
FROM audit_log AS a
WHERE a.id > $2 AND a.role <> 'courier' AND substr(a.actor, strpos(a.actor, ':') + 1) = $1
ORDER BY a.id LIMIT $3;
