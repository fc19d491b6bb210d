-- name: take
-- $1 region, $2 who asks, $3 for how many seconds. Renews the holder's own lease, takes one that has run out (with a new
-- token); no row while somebody else has it. The database's clock decides: dispatchers' clocks may differ.
INSERT INTO dispatch_leases AS l (region, holder, token, expires_at)
VALUES ($1, $2, 1, clock_timestamp() + make_interval(secs => $3::float8))
ON CONFLICT (region) DO UPDATE SET
    token = CASE WHEN l.holder = $2 AND l.expires_at > clock_timestamp() THEN l.token ELSE l.token + 1 END,
    holder = $2,
    expires_at = clock_timestamp() + make_interval(secs => $3::float8)
WHERE l.holder = $2 OR l.expires_at <= clock_timestamp()
RETURNING token;

-- name: hold
-- Holds the lease until the transaction ends: $1 region, $2 token. No row: it has passed to somebody else.
SELECT token FROM dispatch_leases WHERE region = $1 AND token = $2 FOR UPDATE;

-- name: release
UPDATE dispatch_leases SET expires_at = clock_timestamp() WHERE region = $1 AND holder = $2;

-- name: of_region
SELECT holder, token, expires_at FROM dispatch_leases WHERE region = $1;
