"""Messages to people: alerts to staff, steps of orders to recipients, offers to couriers."""
