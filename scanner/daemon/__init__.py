"""`keyvigil serve`: schedules scans, runs them as child processes, and reports on them."""
