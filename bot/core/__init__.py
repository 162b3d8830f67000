"""The rules and the use cases: no I/O, no framework."""
