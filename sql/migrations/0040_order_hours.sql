-- How well regions were served, by hour: a report over a year counts a million orders in seconds only if they were counted.

CREATE TABLE order_hours (
    region text NOT NULL REFERENCES regions (id),
    hour timestamptz NOT NULL,
    placed integer NOT NULL,
    delivered integer NOT NULL,
    promised integer NOT NULL,
    late integer NOT NULL,
    late_s double precision NOT NULL,
    offers integer NOT NULL,
    accepted integer NOT NULL,
    answered integer NOT NULL,
    doors integer[] NOT NULL,
    n_doors integer[] NOT NULL,
    PRIMARY KEY (region, hour)
);
COMMENT ON TABLE order_hours IS 'Hours (UTC) that are over, as they were counted (dispatch/reports/order_hours.py).';
COMMENT ON COLUMN order_hours.late_s IS 'Seconds that the late ones were late, together.';
COMMENT ON COLUMN order_hours.doors IS 'Times from placed to delivered in units of 10 s, each once.';
COMMENT ON COLUMN order_hours.n_doors IS 'How many orders took each of `doors`.';

CREATE TABLE order_hours_horizon (
    kept_until timestamptz NOT NULL,
    is_the_only_one boolean NOT NULL DEFAULT true PRIMARY KEY,
    CONSTRAINT one_orders_horizon CHECK (is_the_only_one)
);
COMMENT ON TABLE order_hours_horizon IS 'One row: hours before this are in order_hours, later ones are counted when asked for.';
INSERT INTO order_hours_horizon (kept_until) VALUES ('-infinity');

CREATE FUNCTION order_hours_made(since timestamptz, until timestamptz)
RETURNS SETOF order_hours
LANGUAGE sql STABLE
AS $$
    WITH placed AS (
        SELECT o.region, date_trunc('hour', o.placed_at, 'UTC') AS hour, count(*) AS placed
        FROM regions AS r
        INNER JOIN orders AS o ON r.id = o.region
        WHERE o.placed_at >= since AND o.placed_at < until
        GROUP BY o.region, 2
    ),

    closed AS (
        SELECT
            o.region,
            date_trunc('hour', o.closed_at, 'UTC') AS hour,
            CASE
                WHEN isfinite(o.placed_at)
                    THEN round(least(greatest(date_part('epoch', o.closed_at - o.placed_at), 0) / 10, 1e9))::int
            END AS door,
            CASE
                WHEN isfinite(coalesce(o.dropoff_due_at, o.dropoff_closes_at))
                    THEN date_part('epoch', o.closed_at - coalesce(o.dropoff_due_at, o.dropoff_closes_at))
            END AS late_s
        FROM regions AS r
        INNER JOIN orders AS o ON r.id = o.region
        WHERE o.closed_at >= since AND o.closed_at < until AND o.delivered_at IS NOT NULL
    ),

    binned AS (
        SELECT
            region, hour, door,
            count(*) AS n,
            count(late_s) AS promised,
            count(*) FILTER (WHERE late_s > 0) AS late,
            coalesce(sum(late_s) FILTER (WHERE late_s > 0), 0) AS late_s
        FROM closed
        GROUP BY region, hour, door
    ),

    delivered AS (
        SELECT
            region, hour,
            sum(n) AS delivered,
            sum(promised) AS promised,
            sum(late) AS late,
            sum(late_s) AS late_s,
            coalesce(array_agg(door) FILTER (WHERE door IS NOT NULL), '{}') AS doors,
            coalesce(array_agg(n::int) FILTER (WHERE door IS NOT NULL), '{}') AS n_doors
        FROM binned
        GROUP BY region, hour
    ),

    offered AS (
        SELECT
            f.region,
            date_trunc('hour', f.offered_at, 'UTC') AS hour,
            count(*) AS offers,
            count(*) FILTER (WHERE f.state = 'accepted') AS accepted,
            count(*) FILTER (WHERE f.state IN ('accepted', 'rejected', 'expired')) AS answered
        FROM regions AS r
        INNER JOIN offers AS f ON r.id = f.region
        WHERE f.offered_at >= since AND f.offered_at < until
        GROUP BY f.region, 2
    )

    SELECT
        region,
        hour,
        coalesce(p.placed, 0)::int,
        coalesce(d.delivered, 0)::int,
        coalesce(d.promised, 0)::int,
        coalesce(d.late, 0)::int,
        coalesce(d.late_s, 0),
        coalesce(f.offers, 0)::int,
        coalesce(f.accepted, 0)::int,
        coalesce(f.answered, 0)::int,
        coalesce(d.doors, '{}'),
        coalesce(d.n_doors, '{}')
    FROM placed AS p
    FULL JOIN delivered AS d USING (region, hour)
    FULL JOIN offered AS f USING (region, hour)
$$;
COMMENT ON FUNCTION order_hours_made IS 'order_hours from since until before until, both whole hours.';
