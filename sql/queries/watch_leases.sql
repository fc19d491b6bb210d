-- name: take
-- $1 region, $2 who asks, $3 for how many seconds, by the database's clock. No row while somebody else has it.
INSERT INTO watch_leases AS l (region, holder, expires_at)
VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3::float8))
ON CONFLICT (region) DO UPDATE SET
    holder = $2, expires_at = clock_timestamp() + make_interval(secs => $3::float8)
WHERE l.holder = $2 OR l.expires_at <= clock_timestamp()
RETURNING holder;

-- name: release
UPDATE watch_leases SET expires_at = clock_timestamp() WHERE region = $1 AND holder = $2;
