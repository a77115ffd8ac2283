"""Doubles of APIs that no built-in row speaks: those of the providers in `example_providers/`."""
