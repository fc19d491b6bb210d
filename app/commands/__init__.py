"""What several routes let people do: from the request's words to the desk, with its line in the audit log."""
