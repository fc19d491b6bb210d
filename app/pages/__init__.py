"""Pages that the server writes itself, for people who have no token: readable without a script, in their language."""
