"""Delivering what a scan has to tell: one file each sink."""
