"""Probabilities to shapes and track lines to alerts."""
