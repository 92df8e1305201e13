"""What was measured, kept: the record of a cell."""
