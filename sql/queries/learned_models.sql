-- name: put
-- $1 region, $2 subject, $3 when, $4 from how many, $5 body: the newer one stays.
INSERT INTO learned_models AS m (region, subject, learned_at, n, body)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (region, subject) DO UPDATE SET learned_at = excluded.learned_at, n = excluded.n, body = excluded.body
WHERE m.learned_at < excluded.learned_at;

-- name: changed_since
-- $1 later than: what was learned in any region.
SELECT region, subject, learned_at, n, body FROM learned_models WHERE learned_at > $1 ORDER BY learned_at;

-- name: forget
-- $1 region, $2 older than this.
DELETE FROM learned_models WHERE region = $1 AND learned_at < $2;

-- name: newest
-- $1 region: when its models were made; NULL: never.
SELECT max(learned_at) FROM learned_models WHERE region = $1;
