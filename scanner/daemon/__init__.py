"""The nightly daemon: when a scan is due, scans as child processes, and what is told of them."""
