-- What couriers write to support without an order to write it about, and what they are answered.

CREATE TABLE courier_messages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    courier_id uuid NOT NULL REFERENCES couriers (id) ON DELETE CASCADE,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    role text NOT NULL,
    body text NOT NULL,
    CONSTRAINT courier_message_says_something CHECK (length(trim(body)) BETWEEN 1 AND 4000)
);
COMMENT ON COLUMN courier_messages.role IS 'courier: written by the courier; another one: an answer of staff.';
CREATE INDEX courier_messages_by_courier ON courier_messages (courier_id, id);
CREATE INDEX courier_messages_by_time ON courier_messages (at);
