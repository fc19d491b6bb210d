-- A courier's rollups outlive the fixes they were made of, so erasing a courier must reach into them.

CREATE FUNCTION erase_position_rollups(erased uuid)
RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    held record;
BEGIN
    FOR held IN
        SELECT materialization_hypertable_schema AS in_schema, materialization_hypertable_name AS in_table
        FROM timescaledb_information.continuous_aggregates
        WHERE view_name IN ('positions_1m', 'positions_1h')
    LOOP
        EXECUTE format('DELETE FROM %I.%I WHERE courier_id = $1', held.in_schema, held.in_table) USING erased;
    END LOOP;
END
$$;
COMMENT ON FUNCTION erase_position_rollups IS
'A refresh could not do it: where the fixes are gone by retention, it would empty the buckets of everybody.';
