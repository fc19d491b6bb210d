"""Events out to other systems: from the outbox, in order, to each that wants them."""
