-- People who sign in with a name and a password; a session is a token that belongs to one of them.

CREATE TABLE users (
    id uuid NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY,
    name text NOT NULL,
    role text NOT NULL,
    regions text [] NOT NULL DEFAULT '{}',
    partner text,
    password_hash text,
    must_change_password boolean NOT NULL DEFAULT false,
    totp_secret text,
    totp_since timestamptz,
    totp_step bigint,
    recovery_hashes bytea [] NOT NULL DEFAULT '{}',
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    signed_in_at timestamptz,
    deleted_at timestamptz,
    CONSTRAINT user_role_is_known CHECK (role IN ('viewer', 'support', 'dispatcher', 'admin', 'auditor')),
    CONSTRAINT user_name_has_a_length CHECK (length(name) BETWEEN 1 AND 200),
    CONSTRAINT second_factor_has_secret CHECK (totp_since IS NULL OR totp_secret IS NOT NULL)
);
CREATE UNIQUE INDEX users_by_name ON users (lower(name)) WHERE deleted_at IS NULL;
CREATE INDEX users_by_deletion ON users (deleted_at) WHERE deleted_at IS NOT NULL;
COMMENT ON COLUMN users.regions IS 'Those the person sees and handles; empty: all.';
COMMENT ON COLUMN users.partner IS 'Whose orders and couriers the person sees and handles; NULL: everybody''s.';
COMMENT ON COLUMN users.password_hash IS 'argon2id; NULL: the person signs in by a one-time address, and sets one.';
COMMENT ON COLUMN users.totp_since IS 'When the second factor was confirmed; NULL: there is none, or it is being set up.';
COMMENT ON COLUMN users.totp_step IS 'The last step of 30 s whose code was used: it works once.';
COMMENT ON COLUMN users.recovery_hashes IS 'SHA-256 of the codes that stand in for the second factor, each once.';

ALTER TABLE tokens ADD COLUMN user_id uuid;
ALTER TABLE tokens ADD COLUMN regions text [];
ALTER TABLE tokens ADD COLUMN partner text;
ALTER TABLE tokens ADD COLUMN idle_s integer;
ALTER TABLE tokens ADD COLUMN seen_at timestamptz;
ALTER TABLE tokens ADD COLUMN ip text;
ALTER TABLE tokens ADD COLUMN agent text;
ALTER TABLE tokens ADD CONSTRAINT token_is_of_a_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE NOT VALID;
COMMENT ON COLUMN tokens.user_id IS 'Of a session: whose; role, regions and partner are the person''s then.';
COMMENT ON COLUMN tokens.regions IS 'Those that the token is for; NULL: all.';
COMMENT ON COLUMN tokens.partner IS 'Whose orders and couriers the token is for; NULL: everybody''s.';
COMMENT ON COLUMN tokens.idle_s IS 'Of a session: it is over when nothing was asked for so many seconds.';
COMMENT ON COLUMN tokens.seen_at IS 'Of a session: when something was asked last, to within a minute.';
