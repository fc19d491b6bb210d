-- How long and how far each courier worked, by hour: made of the rollups and of the orders, neither of which can say both.

CREATE TABLE courier_hours (
    courier_id uuid NOT NULL,
    hour timestamptz NOT NULL,
    region text NOT NULL,
    tracked_s double precision NOT NULL,
    busy_s double precision NOT NULL,
    distance_m double precision NOT NULL,
    PRIMARY KEY (courier_id, hour)
);
COMMENT ON TABLE courier_hours IS 'Hours (UTC) that are over, as they were summed (dispatch/reports/courier_hours.py).';
COMMENT ON COLUMN courier_hours.region IS 'The courier''s when it was summed.';
COMMENT ON COLUMN courier_hours.tracked_s IS 'From the first to the last good fix of the hour.';
COMMENT ON COLUMN courier_hours.busy_s IS 'In so much of the hour at least one accepted order was not done yet.';
CREATE INDEX courier_hours_by_region ON courier_hours (region, hour) INCLUDE (tracked_s, busy_s, distance_m);

CREATE TABLE courier_hours_horizon (
    kept_until timestamptz NOT NULL,
    is_the_only_one boolean NOT NULL DEFAULT true PRIMARY KEY,
    CONSTRAINT one_horizon CHECK (is_the_only_one)
);
COMMENT ON TABLE courier_hours_horizon IS 'One row: hours before this are in courier_hours, later ones are made when asked for.';
INSERT INTO courier_hours_horizon (kept_until) VALUES ('-infinity');

CREATE TABLE courier_hours_due (
    courier_id uuid NOT NULL,
    hour timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    PRIMARY KEY (courier_id, hour)
);
COMMENT ON TABLE courier_hours_due IS 'Hours to sum again: fixes of theirs came late.';

CREATE FUNCTION courier_hours_made(since timestamptz, until timestamptz)
RETURNS SETOF courier_hours
LANGUAGE sql STABLE
AS $$
    WITH done AS (
        -- By region, as the index has it. What took longer than a day more is not looked for again.
        SELECT o.courier_id, o.accepted_at AS began_at, least(o.closed_at, until) AS ended_at
        FROM regions AS r
        INNER JOIN orders AS o ON r.id = o.region
        WHERE
            o.closed_at > since AND o.closed_at < until + INTERVAL '1 day' AND o.accepted_at < until
            AND o.courier_id IS NOT NULL
    ),

    under_way AS (
        SELECT courier_id, accepted_at AS began_at, least(now(), until) AS ended_at
        FROM orders
        WHERE state IN ('assigned', 'accepted', 'picked_up', 'returning') AND accepted_at < until
    ),

    jobs AS (SELECT courier_id, began_at, ended_at FROM done UNION ALL SELECT courier_id, began_at, ended_at FROM under_way),

    busy AS (
        SELECT
            j.courier_id,
            h.hour,
            range_agg(tstzrange(greatest(j.began_at, h.hour), least(j.ended_at, h.hour + INTERVAL '1 hour'))) AS spans
        FROM jobs AS j
        CROSS JOIN LATERAL generate_series(
            date_trunc('hour', greatest(j.began_at, since), 'UTC'), j.ended_at, INTERVAL '1 hour'
        ) AS h (hour)
        WHERE
            j.began_at < j.ended_at AND h.hour >= since AND h.hour < until
            AND h.hour < j.ended_at AND j.began_at < h.hour + INTERVAL '1 hour'
        GROUP BY j.courier_id, h.hour
    ),

    worked AS (
        SELECT
            b.courier_id,
            b.hour,
            (SELECT sum(extract(EPOCH FROM upper(s) - lower(s))) FROM unnest(b.spans) AS s)::double precision AS busy_s
        FROM busy AS b
    )

    SELECT
        coalesce(p.courier_id, w.courier_id) AS courier_id,
        coalesce(p.bucket, w.hour) AS hour,
        c.region,
        coalesce(extract(EPOCH FROM p.last_at - p.first_at), 0)::double precision AS tracked_s,
        coalesce(w.busy_s, 0) AS busy_s,
        coalesce(p.distance_m, 0) AS distance_m
    FROM positions_1h_between(since, until) AS p
    FULL JOIN worked AS w ON p.courier_id = w.courier_id AND p.bucket = w.hour
    INNER JOIN couriers AS c ON c.id = coalesce(p.courier_id, w.courier_id)
    WHERE NOT EXISTS (SELECT FROM erased_couriers AS e WHERE e.courier_id = c.id)
$$;
COMMENT ON FUNCTION courier_hours_made IS 'courier_hours from since until before until, both whole hours.';
