-- What was told of orders' arrivals.

-- name: insert_many
-- $1 orders, $2 when it was told, $3 as likely earlier as later, $4 nine in ten earlier, $5 why it moved. Of an order that
-- is gone nothing is kept.
INSERT INTO told_arrivals (order_id, at, p50, p90, because)
SELECT told.order_id, told.at, told.p50, told.p90, told.because
FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::text[])
    AS told (order_id, at, p50, p90, because)
INNER JOIN orders AS o ON told.order_id = o.id
ON CONFLICT (order_id, at) DO NOTHING;

-- name: last_of_open
-- Of each open order of region $1 what was told last, in seconds since the Unix epoch, and how often something was.
SELECT DISTINCT ON (t.order_id)
    t.order_id, extract(EPOCH FROM t.p50)::float8 AS p50, count(*) OVER (PARTITION BY t.order_id) AS n
FROM orders AS o
INNER JOIN told_arrivals AS t ON o.id = t.order_id
WHERE o.region = $1 AND o.state IN ('placed', 'assigned', 'accepted', 'picked_up', 'returning')
ORDER BY t.order_id, t.at DESC;

-- name: list
SELECT at, p50, p90, because FROM told_arrivals WHERE order_id = $1 ORDER BY at;
