"""Documents × levels → aligned rows on disk → batches that every level can rebuild."""
