-- How far a read replica is behind. Bytes of the write-ahead log are compared, not clocks: an idle database is no late one.

-- name: primary
-- Where the write-ahead log ends, and whose it is. Fails on a standby.
SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint AS at, (SELECT id FROM installation) AS installation;

-- name: standby
-- How much of it has been replayed; NULL where this is no standby.
SELECT
    CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint END AS at,
    (SELECT id FROM installation) AS installation;
