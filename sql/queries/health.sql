-- name: engine
-- Versions of the server and of the extension; NULL where TimescaleDB is not installed.
SELECT
    current_setting('server_version') AS postgresql,
    (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS timescaledb;
