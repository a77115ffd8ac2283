"""Providers and models that the user describes: in Settings or in providers.yaml."""
