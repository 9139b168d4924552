"""A planted world and change injection with Sentinel-2 optics."""
