-- Two installations on one Redis would acknowledge each other's fixes: each has an id, by which they are told apart.

CREATE TABLE installation (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    is_the_only_one boolean NOT NULL DEFAULT true PRIMARY KEY,
    CONSTRAINT one_row CHECK (is_the_only_one)
);
COMMENT ON TABLE installation IS 'One row: which installation this is. Redis keeps the same id beside the positions.';
INSERT INTO installation DEFAULT VALUES;
