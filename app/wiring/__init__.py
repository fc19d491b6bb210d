"""Builds the parts from the settings and starts the roles."""
