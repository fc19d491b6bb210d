-- People who sign in by an identity provider.

-- name: find
-- $1 issuer, $2 subject. Held, so that two sign-ins of one person come one after the other.
SELECT u.id, u.name, u.role, u.regions, u.partner, u.disabled_at IS NOT NULL AS disabled
FROM user_identities AS i INNER JOIN users AS u ON i.user_id = u.id
WHERE i.issuer = $1 AND i.subject = $2 AND u.deleted_at IS NULL
FOR UPDATE OF u;

-- name: link
-- $1 issuer, $2 subject, $3 user; of a person who was removed, to the new one.
INSERT INTO user_identities (issuer, subject, user_id) VALUES ($1, $2, $3)
ON CONFLICT (issuer, subject) DO UPDATE SET user_id = excluded.user_id;

-- name: is_linked
-- $1 user.
SELECT EXISTS (SELECT FROM user_identities WHERE user_id = $1);
