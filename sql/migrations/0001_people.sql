-- The fleet, the regions it works in, who may call, and who did what: everything else refers to these.

CREATE TABLE regions (
    id text PRIMARY KEY,
    name text NOT NULL,
    settings jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT id_is_a_slug CHECK (id ~ '^[a-z0-9_-]{1,40}$')
);
COMMENT ON TABLE regions IS 'A city or the like: the unit of scale.';
INSERT INTO regions (id, name) VALUES ('default', 'Default');

CREATE TABLE couriers (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    external_id text UNIQUE,
    name text NOT NULL,
    mode text NOT NULL,
    region text NOT NULL REFERENCES regions (id),
    capacity int [] NOT NULL DEFAULT '{}',
    skills text [] NOT NULL DEFAULT '{}',
    max_orders int NOT NULL DEFAULT 8,
    on_duty boolean NOT NULL DEFAULT true,
    attributes jsonb NOT NULL DEFAULT '{}',
    version int NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CONSTRAINT mode_is_known CHECK (mode IN ('car', 'motorcycle', 'bicycle', 'foot')),
    CONSTRAINT carries_at_least_one_order CHECK (max_orders > 0)
);
CREATE INDEX couriers_by_region ON couriers (region) WHERE deleted_at IS NULL;
COMMENT ON COLUMN couriers.version IS 'Raised by every change; the ETag.';
COMMENT ON COLUMN couriers.capacity IS 'One number per dimension of load; empty: unlimited.';

CREATE TABLE erased_couriers (
    courier_id uuid PRIMARY KEY,
    erased_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE erased_couriers IS
'Whose positions were erased: fixes of theirs that are still on the way are dropped, not stored again.';

CREATE TABLE tokens (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    kind text NOT NULL,
    role text NOT NULL,
    courier_id uuid REFERENCES couriers (id) ON DELETE CASCADE,
    name text NOT NULL,
    prefix text NOT NULL,
    hash bytea NOT NULL UNIQUE,
    speed_unit text,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    CONSTRAINT kind_is_known CHECK (kind IN ('courier', 'staff', 'service')),
    CONSTRAINT courier_token_has_courier CHECK ((kind = 'courier') = (courier_id IS NOT NULL)),
    CONSTRAINT hash_is_sha256 CHECK (length(hash) = 32)
);
CREATE INDEX tokens_by_courier ON tokens (courier_id);
COMMENT ON COLUMN tokens.hash IS 'sha256 of the token; the token itself is shown once and kept nowhere.';
COMMENT ON COLUMN tokens.speed_unit IS 'kn, mps or kmh where this phone''s app sends another unit than its format says.';

CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    actor text NOT NULL,
    role text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    facts jsonb NOT NULL DEFAULT '{}',
    ip text,
    trace_id text
);
CREATE INDEX audit_log_by_subject ON audit_log (subject, id);
CREATE INDEX audit_log_by_actor ON audit_log (actor, id);
CREATE INDEX audit_log_by_time ON audit_log (at);
COMMENT ON TABLE audit_log IS 'Who did, and who looked at, what; only ever added to.';
