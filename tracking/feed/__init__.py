"""The live map: who is in view, what changed, as a stream."""
