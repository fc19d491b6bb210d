"""Where couriers are; knows nothing of orders."""
