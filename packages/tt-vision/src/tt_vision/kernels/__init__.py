"""The heavy operations: the loops that define them, then what runs."""
