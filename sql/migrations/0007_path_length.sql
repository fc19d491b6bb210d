-- Lengths of paths, for the rollups: continuous aggregates know no window functions, but ordered arrays of one bucket.

CREATE FUNCTION path_length_m(lats_e7 int [], lons_e7 int [])
RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
DECLARE
    radians_per_e7 CONSTANT double precision := pi() / 1800000000.0;
    half_north double precision;
    half_east double precision;
    total_m double precision := 0;
BEGIN
    FOR i IN 2 .. cardinality(lats_e7) LOOP
        IF lats_e7[i] <> lats_e7[i - 1] OR lons_e7[i] <> lons_e7[i - 1] THEN
            half_north := sin((lats_e7[i] - lats_e7[i - 1]) * radians_per_e7 / 2);
            half_east := sin((lons_e7[i]::double precision - lons_e7[i - 1]) * radians_per_e7 / 2);
            total_m := total_m + 2 * 6371008.8 * asin(least(1.0, sqrt(
                half_north * half_north
                + cos(lats_e7[i - 1] * radians_per_e7) * cos(lats_e7[i] * radians_per_e7) * half_east * half_east
            )));
        END IF;
    END LOOP;
    RETURN total_m;
END
$$;
COMMENT ON FUNCTION path_length_m IS 'Metres along points in order: great circles (haversine), as tracking.geo.distance_m.';

CREATE FUNCTION joined_length_m(
    lengths_m double precision [],
    first_lats_e7 int [], first_lons_e7 int [],
    last_lats_e7 int [], last_lons_e7 int []
)
RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
DECLARE
    total_m double precision := 0;
BEGIN
    FOR i IN 1 .. cardinality(lengths_m) LOOP
        total_m := total_m + lengths_m[i];
        IF i > 1 THEN
            -- With its schema: a refresh runs with nothing in the search path.
            total_m := total_m + public.path_length_m(
                ARRAY[last_lats_e7[i - 1], first_lats_e7[i]], ARRAY[last_lons_e7[i - 1], first_lons_e7[i]]
            );
        END IF;
    END LOOP;
    RETURN total_m;
END
$$;
COMMENT ON FUNCTION joined_length_m IS 'Metres along paths in order, and from the end of each to the beginning of the next.';
