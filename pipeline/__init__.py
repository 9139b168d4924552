"""Vanwatch: nightly change alerts from Sentinel-2 for forests and border zones."""

__version__ = "0.1.0"
