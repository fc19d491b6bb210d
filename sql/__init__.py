"""SQL: migrations and named queries."""
