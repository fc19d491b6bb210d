-- Chunks of a day: recent ones stay in memory, old ones are compressed or dropped whole.

SELECT create_hypertable('positions', by_range('fixed_at', INTERVAL '1 day'), create_default_indexes => false);
