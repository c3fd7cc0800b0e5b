"""The commands, one file each; the implementation is imported when a command runs."""
