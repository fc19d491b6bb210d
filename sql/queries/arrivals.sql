-- name: stops
-- $1 region, $2 couriers (NULL: all): the stops still to be made, in the order of each route, with what an arrival
-- depends on. Stops that the planner only intends are among them. `rests_until`: a break of the courier's goes on. What
-- comes back is dropped off at its place for that or where it was picked up, and nobody was promised when. Numbers come as
-- the text they are, for a cast would fail the region for one stop that makes no sense.
SELECT
    r.courier_id, c.mode, r.version, s.nth, s.stop ->> 'arrives_at' AS scheduled_at,
    s.stop ->> 'break_at' AS break_at, s.stop ->> 'break_s' AS break_s,
    least(b.began_at, '2200-01-01T00:00:00Z') + make_interval(secs => b.duration_s) AS rests_until,
    o.id AS order_id, s.stop ->> 'kind' AS kind, o.courier_id IS NOT NULL AS is_assigned,
    o.pickup_lat, o.pickup_lon, greatest(o.pickup_opens_at, o.ready_at) AS pickup_opens_at,
    coalesce(o.pickup_due_at, o.pickup_closes_at) AS pickup_promised_at, o.pickup_service_s,
    o.ready_at >= coalesce(o.pickup_opens_at, o.ready_at) AS pickup_opens_when_ready, o.ready_error_s,
    CASE o.state WHEN 'returning' THEN coalesce(o.return_lat, o.pickup_lat) ELSE o.dropoff_lat END AS dropoff_lat,
    CASE o.state WHEN 'returning' THEN coalesce(o.return_lon, o.pickup_lon) ELSE o.dropoff_lon END AS dropoff_lon,
    CASE o.state WHEN 'returning' THEN NULL ELSE o.dropoff_opens_at END AS dropoff_opens_at,
    CASE o.state WHEN 'returning' THEN NULL ELSE coalesce(o.dropoff_due_at, o.dropoff_closes_at) END
        AS dropoff_promised_at,
    CASE o.state WHEN 'returning' THEN o.pickup_service_s ELSE o.dropoff_service_s END AS dropoff_service_s
FROM routes AS r
INNER JOIN couriers AS c ON r.courier_id = c.id
CROSS JOIN jsonb_array_elements(r.stops) WITH ORDINALITY AS s (stop, nth)
INNER JOIN orders AS o
    ON o.id = CASE WHEN pg_input_is_valid(s.stop ->> 'order_id', 'uuid') THEN (s.stop ->> 'order_id')::uuid END
LEFT JOIN breaks AS b ON b.courier_id = r.courier_id AND b.ended_at IS NULL
WHERE
    r.region = $1 AND ($2::uuid[] IS NULL OR r.courier_id = ANY($2::uuid[]))
    AND (o.courier_id = r.courier_id OR o.courier_id IS NULL)
    AND (o.state IN ('placed', 'assigned', 'accepted') OR (o.state IN ('picked_up', 'returning') AND s.stop ->> 'kind' = 'dropoff'))
    -- An order of one stop has no other, whatever a planner of the release before has put into the route.
    AND (
        o.kind = 'delivery' OR o.depot IS NOT NULL
        OR (s.stop ->> 'kind' = 'pickup') = (o.kind = 'pickup' AND o.state IN ('placed', 'assigned', 'accepted'))
    )
ORDER BY r.courier_id, s.nth;

-- name: order
-- $1 order: what says where its arrival is to be found.
SELECT o.id, o.region, o.state, o.delivered_at, coalesce(o.courier_id, r.courier_id) AS courier_id,
    o.courier_id IS NOT NULL AS is_assigned
FROM orders AS o
LEFT JOIN routes AS r
    ON
        o.courier_id IS NULL AND o.state = 'placed' AND r.region = o.region
        AND r.stops @> jsonb_build_array(jsonb_build_object('order_id', o.id::text))
WHERE o.id = $1
LIMIT 1;

-- name: still_open
-- $1 orders: those that somebody may still bring.
SELECT id FROM orders
WHERE id = ANY($1::uuid[]) AND state IN ('placed', 'assigned', 'accepted', 'picked_up', 'returning');

-- name: reported
-- $1 orders: what other systems were told last of each of their stops.
SELECT DISTINCT ON (o.subject, o.data ->> 'stop') o.subject, o.data ->> 'stop' AS stop, o.at, o.data::text AS data
FROM outbox AS o
WHERE o.subject = ANY($1::uuid []) AND o.type = 'postrider.eta.changed'
ORDER BY o.subject, o.data ->> 'stop', o.sequence DESC;

-- name: report
-- $1 order, $2 courier, $3 now, $4 what is told: an event for other systems, while the order is open.
SELECT put_event(
    'eta.changed', o.id, o.region, $3::timestamptz, $2::uuid,
    $4::jsonb || jsonb_build_object('order_id', o.id, 'external_id', o.external_id, 'courier_id', $2::uuid)
)
FROM orders AS o WHERE o.id = $1 AND o.closed_at IS NULL;
