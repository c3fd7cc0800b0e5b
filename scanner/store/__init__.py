"""The memory: scans, cases and their events, snapshots and the lock, on SQLite or PostgreSQL."""
