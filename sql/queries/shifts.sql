-- name: of_courier
SELECT id, courier_id, starts_at, ends_at, breaks, end_lat, end_lon, start_lat, start_lon, created_at, series_id FROM shifts
WHERE courier_id = $1 AND ($2::timestamptz IS NULL OR ends_at > $2) AND ($3::timestamptz IS NULL OR starts_at < $3)
ORDER BY starts_at;

-- name: get
SELECT id, courier_id, starts_at, ends_at, breaks, end_lat, end_lon, start_lat, start_lon, created_at, series_id FROM shifts
WHERE id = $1 AND courier_id = $2;

-- name: insert
INSERT INTO shifts (courier_id, starts_at, ends_at, breaks, end_lat, end_lon, start_lat, start_lon, series_id)
VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7, $8, $9)
RETURNING id, courier_id, starts_at, ends_at, breaks, end_lat, end_lon, start_lat, start_lon, created_at, series_id;

-- name: update
UPDATE shifts SET (starts_at, ends_at, breaks, end_lat, end_lon, start_lat, start_lon) = ($3, $4, $5::jsonb, $6, $7, $8, $9)
WHERE id = $1 AND courier_id = $2
RETURNING id, courier_id, starts_at, ends_at, breaks, end_lat, end_lon, start_lat, start_lon, created_at, series_id;

-- name: give_places
-- $1 shift: where it begins ($2, $3) and where it ends ($4, $5), NULL: anywhere. What it names already stays.
UPDATE shifts SET
    start_lat = CASE WHEN start_lat IS NULL THEN $2 ELSE start_lat END,
    start_lon = CASE WHEN start_lat IS NULL THEN $3 ELSE start_lon END,
    end_lat = CASE WHEN end_lat IS NULL THEN $4 ELSE end_lat END,
    end_lon = CASE WHEN end_lat IS NULL THEN $5 ELSE end_lon END
WHERE id = $1;

-- name: were_used
-- $1 courier: works by shifts from now on, also when none is left.
UPDATE couriers SET has_shifts = true WHERE id = $1 AND NOT has_shifts;

-- name: delete
DELETE FROM shifts WHERE id = $1 AND courier_id = $2 RETURNING id;

-- name: following
-- The shift $1 of a courier, and those of the same rule that begin later.
SELECT later.id FROM shifts AS this
INNER JOIN shifts AS later
    ON
        this.courier_id = later.courier_id AND this.starts_at <= later.starts_at
        AND (this.id = later.id OR this.series_id = later.series_id)
WHERE this.id = $1 AND this.courier_id = $2
ORDER BY later.starts_at;

-- name: zone
-- The clock that a courier lives by.
SELECT r.timezone FROM couriers AS c
INNER JOIN regions AS r ON c.region = r.id
WHERE c.id = $1 AND c.deleted_at IS NULL;

-- name: of_couriers
-- All shifts of couriers that have not ended a day before $2, and of each courier at least the last one: whoever has shifts
-- works only inside them, also when all of them are over.
SELECT s.id, s.courier_id, s.starts_at, s.ends_at, s.breaks, s.end_lat, s.end_lon, s.start_lat, s.start_lon, s.created_at, s.series_id
FROM shifts AS s
WHERE
    s.courier_id = ANY($1::uuid[])
    AND (
        s.ends_at > $2::timestamptz - interval '1 day'
        OR s.starts_at = (SELECT max(latest.starts_at) FROM shifts AS latest WHERE latest.courier_id = s.courier_id)
    )
ORDER BY s.courier_id, s.starts_at;

-- name: places
-- $1 courier, $2 instant: where the shift of then, or the last one of the day before, ends, or else began.
SELECT coalesce(end_lat, start_lat) AS lat, coalesce(end_lon, start_lon) AS lon FROM shifts
WHERE
    courier_id = $1 AND starts_at <= $2 AND ends_at > $2::timestamptz - interval '1 day'
    AND coalesce(end_lat, start_lat) BETWEEN -90 AND 90 AND coalesce(end_lon, start_lon) BETWEEN -180 AND 180
ORDER BY starts_at DESC
LIMIT 1;

-- name: of_region
-- $1 region, $2 from, $3 to: the shifts that touch that span, of everybody there.
SELECT
    s.courier_id, greatest(s.starts_at, '2000-01-01T00:00:00Z') AS starts_at,
    least(s.ends_at, '2200-01-01T00:00:00Z') AS ends_at, s.breaks
FROM shifts AS s
INNER JOIN couriers AS c ON s.courier_id = c.id
WHERE c.region = $1 AND c.deleted_at IS NULL AND s.ends_at > $2 AND s.starts_at < $3
ORDER BY s.courier_id, s.starts_at;
