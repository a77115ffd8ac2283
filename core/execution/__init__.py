"""The life of paid calls: run, call, retry policy, limits, recovery."""
