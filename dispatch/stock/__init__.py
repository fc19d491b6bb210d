"""Goods of places: what there is by batch, and every movement of it."""
