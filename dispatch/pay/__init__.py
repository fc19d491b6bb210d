"""What couriers earn: rules as data, an append-only ledger made of what happened."""
