-- The ledger of app.migrate. psycopg, therefore %s and not $1.

-- name: create
CREATE TABLE IF NOT EXISTS schema_migrations (
    version int PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    needs int NOT NULL DEFAULT 0
);

-- name: has_needs
SELECT count(*) > 0
FROM pg_attribute
WHERE attrelid = 'schema_migrations'::regclass AND attname = 'needs' AND NOT attisdropped;

-- name: add_needs
ALTER TABLE schema_migrations ADD COLUMN IF NOT EXISTS needs int NOT NULL DEFAULT 0;

-- name: exists
SELECT to_regclass('schema_migrations') IS NOT NULL;

-- name: list
SELECT version, name, sha256 FROM schema_migrations ORDER BY version;

-- name: standing
-- For asyncpg and psycopg alike. The ledger of a release before has no column `needs`.
SELECT m.version, (to_jsonb(m) ->> 'needs')::int AS needs FROM schema_migrations AS m ORDER BY m.version;

-- name: is_invalid_index
SELECT count(*) > 0
FROM pg_index AS i
INNER JOIN pg_class AS c ON i.indexrelid = c.oid
WHERE c.relname = %s AND c.relnamespace = current_schema()::regnamespace AND NOT i.indisvalid;

-- name: record
-- A repeated .notx file finds its row there when a crash came between.
INSERT INTO schema_migrations (version, name, sha256, needs) VALUES (%s, %s, %s, %s) ON CONFLICT (version) DO NOTHING;

-- name: try_lock
SELECT pg_try_advisory_lock(%s);

-- name: unlock
SELECT pg_advisory_unlock(%s);

-- name: bound_lock_wait
-- For this transaction only: no session state, which clients of the WebAssembly engine would share.
SELECT set_config('lock_timeout', %s, true);

-- name: lock_ledger
LOCK TABLE schema_migrations IN EXCLUSIVE MODE;

-- name: timescaledb_version
SELECT extversion FROM pg_extension WHERE extname = 'timescaledb';

-- name: timescaledb_available
SELECT count(*) > 0 FROM pg_available_extensions WHERE name = 'timescaledb';

-- name: create_timescaledb
CREATE EXTENSION IF NOT EXISTS timescaledb;
