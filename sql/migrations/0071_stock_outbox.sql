-- Which places' goods changed: written with the change, read by who lets go of what is remembered of them.

CREATE TABLE stock_outbox (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    place_id uuid NOT NULL
);
COMMENT ON TABLE stock_outbox IS 'Places whose goods changed since what is remembered of them was let go; a row goes as soon as that is done.';

CREATE FUNCTION stock_changed() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO stock_outbox (place_id) SELECT DISTINCT c.place_id FROM changed AS c;
    RETURN NULL;
END
$$;
CREATE FUNCTION stock_item_changed() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO stock_outbox (place_id)
    SELECT DISTINCT b.place_id FROM changed AS c INNER JOIN stock_batches AS b ON c.id = b.item_id;
    RETURN NULL;
END
$$;
CREATE FUNCTION stock_place_changed() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO stock_outbox (place_id) VALUES (new.id);
    RETURN NULL;
END
$$;

CREATE TRIGGER tells_of_new AFTER INSERT ON stock_batches
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION stock_changed();
CREATE TRIGGER tells_of_change AFTER UPDATE ON stock_batches
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION stock_changed();
CREATE TRIGGER tells_of_end AFTER DELETE ON stock_batches
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION stock_changed();
CREATE TRIGGER tells_of_new AFTER INSERT ON stock_reservations
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION stock_changed();
CREATE TRIGGER tells_of_change AFTER UPDATE ON stock_reservations
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION stock_changed();
CREATE TRIGGER tells_of_end AFTER DELETE ON stock_reservations
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION stock_changed();
CREATE TRIGGER tells_of_change AFTER UPDATE ON stock_items
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION stock_item_changed();
CREATE TRIGGER tells_of_end AFTER UPDATE ON places FOR EACH ROW
WHEN (old.deleted_at IS DISTINCT FROM new.deleted_at) EXECUTE FUNCTION stock_place_changed();
