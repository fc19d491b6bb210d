-- Plain PostgreSQL gets parts of a day here; a hypertable has its chunks.

SELECT 1;
