"""Places that prepare what couriers collect: when what is begun, and when it can be ready."""
