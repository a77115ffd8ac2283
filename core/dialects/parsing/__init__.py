"""Reads the answers of providers: JSON, event streams, result images and errors."""
