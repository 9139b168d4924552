"""STAC search to frozen scenes: paged, retried, de-duplicated."""
