"""What can be typed: one file per command; what it does is loaded when it runs."""
