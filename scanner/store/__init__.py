"""The history on SQLite or PostgreSQL: scans, finding records, events, snapshots and the lock."""
