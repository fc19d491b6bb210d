"""Who must step in: couriers stuck, silent or off the route, orders late; raised once, resolved by themselves."""
