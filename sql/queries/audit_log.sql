-- name: add
-- $1 actor, $2 role, $3 action, $4 subject, $5 facts (JSON), $6 trace id, $7 address.
INSERT INTO audit_log (at, actor, role, action, subject, facts, trace_id, ip)
VALUES (now(), $1, $2, $3, $4, $5::jsonb, $6, $7);

-- name: look
-- $1 actor, $2 role, $3 action, $4 subject, $5 hour, $6 address, $7 trace id. Once for the hour.
INSERT INTO audit_log (at, actor, role, action, subject, looked_in, ip, trace_id)
VALUES (now(), $1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (actor, action, subject, looked_in) WHERE looked_in IS NOT NULL DO NOTHING;

-- name: list
-- Newest first. $1 actor or NULL, $2 action or NULL, $3 subject or NULL, $4 before this id or NULL, $5 most rows,
-- $6 from this instant or NULL, $7 before this instant or NULL.
SELECT id, at, actor, role, action, subject, facts, ip, trace_id
FROM audit_log
WHERE ($1::text IS NULL OR actor = $1)
  AND ($2::text IS NULL OR action = $2)
  AND ($3::text IS NULL OR subject = $3)
  AND ($4::bigint IS NULL OR id < $4)
  AND ($6::timestamptz IS NULL OR at >= $6)
  AND ($7::timestamptz IS NULL OR at < $7)
ORDER BY id DESC
LIMIT $5;
