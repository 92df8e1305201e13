"""What each notebook cell costs in energy and CO2e, and what it would cost elsewhere."""

__version__ = "0.1.0"
