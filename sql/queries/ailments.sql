-- What may be wrong with a database that works (app/machine/ailments.py): its own tables of what goes on in it.

-- name: statements_kept
-- Whether pg_stat_statements is there to be asked.
SELECT count(*) > 0 FROM pg_extension WHERE extname = 'pg_stat_statements';

-- name: slow_statements
-- $1 mean, milliseconds: those that take longer, the costliest first.
SELECT
    s.query,
    s.calls,
    s.mean_exec_time AS mean_ms
FROM pg_stat_statements AS s
WHERE s.dbid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
    AND s.mean_exec_time > $1 AND s.calls > 5
ORDER BY s.total_exec_time DESC
LIMIT 3;

-- name: long_transactions
-- $1 age: sessions of this database with a transaction that is older.
SELECT
    a.pid,
    a.application_name,
    a.state,
    extract(EPOCH FROM now() - a.xact_start)::float8 AS age_s,
    cardinality(pg_blocking_pids(a.pid)) AS n_blocking
FROM pg_stat_activity AS a
WHERE
    a.datname = current_database() AND a.backend_type = 'client backend' AND a.xact_start < now() - $1::interval AND a.pid <> pg_backend_pid()
ORDER BY a.xact_start
LIMIT 3;

-- name: bloated
-- Tables of which more than a third is dead, and not little of it.
SELECT
    t.relname AS name,
    t.n_dead_tup AS n_dead,
    t.n_live_tup AS n_live
FROM pg_stat_user_tables AS t
WHERE t.n_dead_tup > 100000 AND t.n_dead_tup * 2 > t.n_live_tup
ORDER BY t.n_dead_tup DESC
LIMIT 3;

-- name: replicas
-- Standbys, and how far behind each is.
SELECT
    r.application_name AS name,
    coalesce(extract(EPOCH FROM r.replay_lag), 0)::float8 AS lag_s
FROM pg_stat_replication AS r;

-- name: idle_slots
-- Replication slots that nobody reads, and what they hold back, bytes.
SELECT
    s.slot_name AS name,
    coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn), 0)::float8 AS held_bytes
FROM pg_replication_slots AS s
WHERE NOT s.active AND NOT pg_is_in_recovery();

-- name: invalid_indexes
-- Indexes that an interrupted migration left behind.
SELECT c.relname AS name
FROM pg_index AS i INNER JOIN pg_class AS c ON i.indexrelid = c.oid
WHERE NOT i.indisvalid
LIMIT 5;

-- name: failing_jobs
-- TimescaleDB's jobs whose last run failed.
SELECT
    j.job_id,
    j.proc_name AS name
FROM timescaledb_information.job_stats AS s INNER JOIN timescaledb_information.jobs AS j ON s.job_id = j.job_id
WHERE s.last_run_status = 'Failed'
LIMIT 5;

-- name: clock
SELECT extract(EPOCH FROM clock_timestamp())::float8;
