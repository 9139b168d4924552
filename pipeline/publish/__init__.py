"""Alerts and arrays to the files that users open."""
