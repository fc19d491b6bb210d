-- name: regions
-- Where couriers are followed on their shifts only.
SELECT id FROM regions WHERE settings -> 'privacy' -> 'on_shift_only' = 'true'::jsonb;

-- name: spans
-- $1 regions, $2 from and $3 until: when each courier there may be followed, as spans that may overlap. Whoever has
-- shifts at all is followed inside them, others while on duty, and everybody with an order from its acceptance on. Of
-- one who is off duty nothing counts after the last change of the row.
SELECT s.courier_id, greatest(s.starts_at, $2) AS begins_at,
    CASE WHEN c.on_duty THEN s.ends_at ELSE least(s.ends_at, c.updated_at) END AS ends_at
FROM couriers AS c
INNER JOIN shifts AS s ON s.courier_id = c.id
WHERE c.region = ANY($1::text[]) AND c.deleted_at IS NULL AND s.ends_at > $2 AND s.starts_at < $3
UNION ALL
SELECT c.id, $2::timestamptz, CASE WHEN c.on_duty THEN $3::timestamptz ELSE c.updated_at END
FROM couriers AS c
WHERE
    c.region = ANY($1::text[]) AND c.deleted_at IS NULL
    AND NOT EXISTS (SELECT FROM shifts AS s WHERE s.courier_id = c.id)
UNION ALL
SELECT o.courier_id, o.accepted_at, $3::timestamptz
FROM orders AS o
WHERE
    o.region = ANY($1::text[]) AND o.state IN ('accepted', 'picked_up', 'returning')
    AND o.courier_id IS NOT NULL AND o.accepted_at IS NOT NULL;
