-- Writers of positions take turns: the marks of a fix depend on its neighbours, so two must not store at the same time.

CREATE TABLE position_turns (
    slot text PRIMARY KEY,
    turn bigint NOT NULL
);
COMMENT ON TABLE position_turns IS
'One row per region; a writer raises its turn, and finding it raised by another knows that it has to look again.';
