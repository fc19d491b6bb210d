-- Who does what for a region, for all jobs in one table; and which processes there are to share the regions out among.
-- `dispatch_leases` and `watch_leases` stay for as long as processes of the release before may run.

CREATE TABLE leases (
    job text NOT NULL,
    region text NOT NULL,
    holder text NOT NULL,
    token bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (job, region),
    -- Makes the token part of a key: a row locked FOR KEY SHARE may be renewed by its holder, but taken by nobody.
    CONSTRAINT one_holder_a_token UNIQUE (job, region, token)
);
COMMENT ON TABLE leases IS 'Who does a job for a region until when. The token grows with every taking and never goes back.';
COMMENT ON COLUMN leases.region IS 'Region, or another name of what is led; no foreign key, for the token outlives it.';

CREATE TABLE lease_holders (
    job text NOT NULL,
    holder text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (job, holder)
);
COMMENT ON TABLE lease_holders IS 'Processes that would do a job, as long as they say so.';
