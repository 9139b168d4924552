"""How good methods are: metrics, classical detectors, real places, and the table that compares them."""
