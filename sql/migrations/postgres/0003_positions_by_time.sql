-- What chunks do on TimescaleDB: find a span of time in all couriers' fixes. BRIN, because rows arrive nearly in order.

-- squawk-ignore require-concurrent-index-creation
CREATE INDEX positions_by_time ON positions USING brin (fixed_at) WITH (autosummarize = on);
