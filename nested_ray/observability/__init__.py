"""Events and measurements → log lines without secrets, metric names with units."""
