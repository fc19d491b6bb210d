-- name: engine
-- Versions of the server and of the extension, NULL where TimescaleDB is not installed; and whether nothing can be written.
SELECT
    current_setting('server_version') AS postgresql,
    (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS timescaledb,
    pg_is_in_recovery() OR current_setting('transaction_read_only')::bool AS read_only;
