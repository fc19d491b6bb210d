"""What is told of the past: hours at work summed, and how well a region was served."""
