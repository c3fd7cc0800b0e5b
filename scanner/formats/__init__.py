"""Scan results as documents: one file each, one registry."""
