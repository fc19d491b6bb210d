-- Chunks of a week: recent ones stay in memory, old ones are compressed or dropped whole. Housekeeping makes later chunks a
-- day long where a day brings millions of fixes.

SELECT create_hypertable('positions', by_range('fixed_at', INTERVAL '7 days'), create_default_indexes => false);
