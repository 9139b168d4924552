"""Chips, training and calibration."""
