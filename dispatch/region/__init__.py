"""The dispatcher of one region: read the world, propose, write what still holds; one process a region by lease."""
