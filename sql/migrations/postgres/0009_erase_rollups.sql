-- A courier's rollups outlive the fixes they were made of, so erasing a courier must reach into them.

CREATE FUNCTION erase_position_rollups(erased uuid)
RETURNS void
LANGUAGE sql
AS $$
    DELETE FROM positions_1m_kept WHERE courier_id = erased;
    DELETE FROM positions_1h_kept WHERE courier_id = erased;
$$;
