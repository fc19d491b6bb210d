"""What every route needs: who asks, errors as problems, versions, pages, idempotency, the audit log, metrics."""
