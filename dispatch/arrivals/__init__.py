"""When does the courier come: a route on the travel times of now, with its spread, kept current and told honestly."""
