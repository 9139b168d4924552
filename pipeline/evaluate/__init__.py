"""Metrics and classical detectors."""
