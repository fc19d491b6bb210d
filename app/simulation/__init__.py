"""A simulated fleet: a made-up town, couriers that move through it, and the requests that their phones would send."""
