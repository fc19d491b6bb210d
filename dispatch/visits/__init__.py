"""Is the courier at the door? One rule, read from fixes as they come and from a stored track."""
