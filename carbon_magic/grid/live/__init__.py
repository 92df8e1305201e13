"""Live intensity: what a kilowatt-hour emits now, asked of a service that the user has named, and of nobody else."""
