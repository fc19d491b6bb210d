"""Orders, offers, routes and arrivals as they go over HTTP."""
