"""Alert delivery: one file or group of files for each sink."""
