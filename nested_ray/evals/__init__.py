"""A nest directory and held-out code → fitted weights, confidence thresholds and the closing table."""
