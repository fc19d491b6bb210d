"""Pictures that prove deliveries: judged, made small, kept, and shown for a while."""
