"""Rules and use cases. This package does no I/O and uses no framework."""
