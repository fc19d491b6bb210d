"""The HTTP surface of Postrider, and the one place where things are wired together."""
