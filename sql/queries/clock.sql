-- name: now
-- Processes' clocks differ; what several of them judge by time is judged by this one.
SELECT clock_timestamp();
