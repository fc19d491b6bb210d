-- A part of positions for each day (UTC), so that retention drops a day whole: deleting its rows took long, and gave no
-- room back. What was there becomes the part of all days before; what has no part goes into positions_default, and is
-- deleted by row in its time. Nothing is read or copied here, so nobody waits for longer than the few statements take.

-- squawk-ignore renaming-table
ALTER TABLE positions RENAME TO positions_before;
-- squawk-ignore renaming-object
ALTER TABLE positions_before RENAME CONSTRAINT positions_key TO positions_before_key;
-- squawk-ignore renaming-object
ALTER INDEX positions_by_time RENAME TO positions_before_by_time;

CREATE TABLE positions (
    LIKE positions_before INCLUDING DEFAULTS INCLUDING COMMENTS,
    CONSTRAINT positions_key PRIMARY KEY (courier_id, fixed_at)
) PARTITION BY RANGE (fixed_at);
COMMENT ON TABLE positions IS 'One row per fix; (courier, fix time) makes a repeated upload harmless. A part for each day.';
CREATE INDEX positions_by_time ON positions USING brin (fixed_at) WITH (autosummarize = on);

CREATE TABLE positions_default PARTITION OF positions DEFAULT;
COMMENT ON TABLE positions_default IS
'Fixes of days without a part: the keeper was away for days, or they came when their day had been dropped.';

CREATE VIEW position_parts AS
SELECT
    c.relname::text AS name,
    CASE
        WHEN b.bound LIKE 'FOR VALUES FROM (MINVALUE)%' THEN TIMESTAMPTZ '-infinity'
        ELSE substring(b.bound FROM 'FROM \(''([^'']+)''')::timestamptz
    END AS since,
    substring(b.bound FROM 'TO \(''([^'']+)''')::timestamptz AS until
FROM pg_inherits AS i
INNER JOIN pg_class AS c ON i.inhrelid = c.oid
CROSS JOIN LATERAL (SELECT pg_get_expr(c.relpartbound, c.oid) AS bound) AS b
WHERE i.inhparent = 'positions'::regclass;
COMMENT ON VIEW position_parts IS 'The parts of positions: from since until before until; of positions_default both are null.';

CREATE FUNCTION position_days_missing(first_day date, last_day date)
RETURNS SETOF date
LANGUAGE sql STABLE
SET timezone = 'UTC'
AS $$
    SELECT d.day::date
    FROM generate_series(first_day::timestamptz, last_day::timestamptz, INTERVAL '1 day') AS d (day)
    WHERE NOT EXISTS (SELECT FROM position_parts AS p WHERE p.since < d.day + INTERVAL '1 day' AND p.until > d.day)
    ORDER BY 1
$$;
COMMENT ON FUNCTION position_days_missing IS 'Days (UTC) from the first to the last of which no part of positions has an hour.';

CREATE FUNCTION make_position_days(first_day date, last_day date)
RETURNS int
LANGUAGE plpgsql
SET timezone = 'UTC'
AS $$
DECLARE
    missing date[] := ARRAY(SELECT position_days_missing(first_day, last_day));
    one date;
    part text;
    n int := 0;
BEGIN
    IF missing = '{}' THEN
        RETURN 0;
    END IF;
    -- Attaching takes this lock anyway; taken first, nothing comes between the look at its rows and that.
    LOCK TABLE positions_default IN ACCESS EXCLUSIVE MODE;
    FOREACH one IN ARRAY missing LOOP
        CONTINUE WHEN EXISTS (
            SELECT FROM positions_default
            WHERE fixed_at >= one::timestamptz AND fixed_at < one::timestamptz + INTERVAL '1 day'
        );
        part := 'positions_' || to_char(one, 'YYYYMMDD');
        EXECUTE format('CREATE TABLE %I (LIKE positions INCLUDING DEFAULTS INCLUDING INDEXES)', part);
        EXECUTE format(
            'ALTER TABLE positions ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            part, one::timestamptz, one::timestamptz + INTERVAL '1 day'
        );
        n := n + 1;
    END LOOP;
    RETURN n;
END
$$;
COMMENT ON FUNCTION make_position_days IS
'Makes what is missing from the first to the last day; a day of which positions_default has rows stays there. How many.';

CREATE FUNCTION drop_position_days(before timestamptz)
RETURNS int
LANGUAGE plpgsql
AS $$
DECLARE
    part text;
    n int := 0;
BEGIN
    FOR part IN SELECT p.name FROM position_parts AS p WHERE p.until <= before ORDER BY p.until LOOP
        EXECUTE format('DROP TABLE %I', part);
        n := n + 1;
    END LOOP;
    RETURN n;
END
$$;
COMMENT ON FUNCTION drop_position_days IS 'Drops the parts that end by then, with all their rows. How many.';

CREATE FUNCTION delete_positions_of_no_day(before timestamptz)
RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    part text;
BEGIN
    FOR part IN
        SELECT p.name FROM position_parts AS p
        WHERE p.since IS NULL OR (p.since = '-infinity' AND p.until > before)
    LOOP
        EXECUTE format('DELETE FROM %I WHERE fixed_at < $1', part) USING before;
    END LOOP;
END
$$;
COMMENT ON FUNCTION delete_positions_of_no_day IS 'Deletes older rows by themselves where a part has more than a day.';

DO $$
DECLARE
    -- Days to begin with, until housekeeping makes further ones: so late a fix may come, and so far ahead.
    first_day date := (now() AT TIME ZONE 'UTC')::date - 9;
    last_day date := (now() AT TIME ZONE 'UTC')::date + 3;
    bound text;
    held record;
BEGIN
    FOR held IN
        SELECT
            a.privilege_type AS what,
            CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS who,
            CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS how
        FROM pg_class AS c CROSS JOIN aclexplode(c.relacl) AS a
        WHERE c.oid = 'positions_before'::regclass AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('GRANT %s ON positions TO %s%s', held.what, held.who, held.how);
    END LOOP;
    IF EXISTS (SELECT FROM positions_before) THEN
        SELECT substring(pg_get_constraintdef(c.oid) FROM '''([^'']+)''') INTO bound
        FROM pg_constraint AS c
        WHERE c.conrelid = 'positions_before'::regclass AND c.conname = 'before_the_days';
        EXECUTE format('ALTER TABLE positions ATTACH PARTITION positions_before FOR VALUES FROM (MINVALUE) TO (%L)', bound);
        ALTER TABLE positions_before DROP CONSTRAINT before_the_days;
    ELSE
        DROP TABLE positions_before;
    END IF;
    PERFORM make_position_days(first_day, last_day);
END
$$;
