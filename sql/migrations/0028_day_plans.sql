-- Days planned ahead: what was asked, how far it is, and the plan, to be looked at before it is applied.

CREATE TABLE day_plans (
    id uuid NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY,
    region text NOT NULL REFERENCES regions (id),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    seconds double precision NOT NULL,
    state text NOT NULL DEFAULT 'waiting',
    progress jsonb NOT NULL DEFAULT '{}',
    plan jsonb,
    reason text,
    asked_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    beat_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CONSTRAINT day_plan_state_is_known CHECK (
        state IN ('waiting', 'running', 'ready', 'failed', 'cancelled', 'applied')
    ),
    CONSTRAINT day_ends_after_it_starts CHECK (starts_at < ends_at),
    CONSTRAINT ready_day_plan_is_there CHECK (plan IS NOT NULL OR state NOT IN ('ready', 'applied')),
    CONSTRAINT failed_day_plan_says_why CHECK (reason IS NOT NULL OR state <> 'failed')
);
COMMENT ON TABLE day_plans IS 'Plans of a day that has not begun: made by an API process, applied by a dispatcher.';
COMMENT ON COLUMN day_plans.beat_at IS 'Written every second while it is made; older: whoever made it is gone.';
COMMENT ON COLUMN day_plans.plan IS 'Routes with their times, reasons, and the versions of orders it was made from.';
-- Two for one region would plan the same orders for the same couriers.
CREATE UNIQUE INDEX one_day_plan_at_work ON day_plans (region) WHERE state IN ('waiting', 'running');
CREATE INDEX day_plans_by_age ON day_plans (created_at);
