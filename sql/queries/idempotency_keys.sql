-- name: claim
-- $1 caller, $2 key, $3 hash of the request. No row: the key was used; a concurrent request with it waits here.
INSERT INTO idempotency_keys (caller, key, request_hash) VALUES ($1, $2, $3)
ON CONFLICT (caller, key) DO NOTHING
RETURNING key;

-- name: get
SELECT request_hash, status, body FROM idempotency_keys WHERE caller = $1 AND key = $2;

-- name: answer
UPDATE idempotency_keys SET status = $3, body = $4::jsonb WHERE caller = $1 AND key = $2;

-- name: delete_before
DELETE FROM idempotency_keys WHERE created_at < $1;
