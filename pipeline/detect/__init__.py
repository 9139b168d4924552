"""A look against the normal to per-kind probabilities."""
