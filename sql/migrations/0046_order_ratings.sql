-- How recipients found it, once an order; what they say beside it is a comment of the order.

CREATE TABLE order_ratings (
    order_id uuid PRIMARY KEY REFERENCES orders (id) ON DELETE CASCADE,
    stars smallint NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT one_to_five_stars CHECK (stars BETWEEN 1 AND 5)
);
