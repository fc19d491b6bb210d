-- Positions become a table with a part for each day (0074), and what is there now becomes its part of all days before the
-- next few. Said here without a look at a row, and held true in 0073, while everybody reads and writes: so 0074 need not
-- read the table while everybody waits. Later than the day said here no fix is taken, for the phones' clocks are judged.

DO $$
DECLARE
    first_day timestamptz := date_trunc('day', now(), 'UTC') + INTERVAL '72 hours';
    after_all timestamptz;
BEGIN
    SELECT date_trunc('day', max(fixed_at), 'UTC') + INTERVAL '24 hours' INTO after_all
    FROM positions WHERE fixed_at >= first_day;
    EXECUTE format(
        'ALTER TABLE positions ADD CONSTRAINT before_the_days CHECK (fixed_at < %L) NOT VALID',
        greatest(first_day, after_all)
    );
END
$$;
