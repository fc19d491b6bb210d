-- name: join
-- Says that a process is there: $1 job, or crew of one, $2 process, $3 for how many seconds. Processes long gone are forgotten.
WITH gone AS (
    DELETE FROM lease_holders WHERE job = $1 AND expires_at < clock_timestamp() - interval '1 hour' AND holder <> $2
)

INSERT INTO lease_holders (job, holder, expires_at)
VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3::float8))
ON CONFLICT (job, holder) DO UPDATE SET expires_at = excluded.expires_at;

-- name: leave
DELETE FROM lease_holders WHERE job = $1 AND holder = $2;

-- name: living
-- Processes that are there for job, or crew, $1.
SELECT holder FROM lease_holders WHERE job = $1 AND expires_at > clock_timestamp() ORDER BY holder;

-- name: in_force
-- Leases of job $1 that nobody else may take now.
SELECT region, holder FROM leases WHERE job = $1 AND expires_at > clock_timestamp();

-- name: take
-- $1 job, $2 region, $3 who asks, $4 for how many seconds, by the database's clock: processes' clocks may differ. Takes a
-- lease that has run out, with a new token; no row while somebody else has it.
INSERT INTO leases AS l (job, region, holder, token, expires_at)
VALUES ($1, $2, $3, 1, clock_timestamp() + make_interval(secs => $4::float8))
ON CONFLICT (job, region) DO UPDATE SET
    token = l.token + 1,
    holder = excluded.holder,
    expires_at = clock_timestamp() + make_interval(secs => $4::float8)
WHERE l.holder = $3 OR l.expires_at <= clock_timestamp()
RETURNING token;

-- name: renew
-- $1 job, $2 regions and $3 their tokens, $4 for how many more seconds. Also what has run out, as long as nobody took it.
-- Those without a row have passed to somebody else.
UPDATE leases AS l SET expires_at = clock_timestamp() + make_interval(secs => $4::float8)
FROM unnest($2::text [], $3::bigint []) AS held (region, token)
WHERE l.job = $1 AND l.region = held.region AND l.token = held.token
RETURNING l.region;

-- name: hold
-- Holds a lease until the transaction ends: $1 job, $2 region, $3 token. No row: it has passed to somebody else. A holder
-- that is stopped in the middle of the transaction keeps nobody waiting: the server ends it after $4 milliseconds.
SELECT clock_timestamp() AS now, set_config('idle_in_transaction_session_timeout', $4::text, TRUE) AS timeout
FROM leases
WHERE job = $1 AND region = $2 AND token = $3
FOR KEY SHARE;

-- name: release
-- $1 job, $2 region, $3 token: the next one need not wait.
UPDATE leases SET expires_at = clock_timestamp() WHERE job = $1 AND region = $2 AND token = $3;

-- name: revoke
-- Of job $1 for region $2 and parts of it, all leases but those of the names $3: their holders write nothing any more.
UPDATE leases SET token = token + 1, expires_at = clock_timestamp()
WHERE job = $1 AND split_part(region, '/', 1) = $2 AND region <> ALL($3::text []);
