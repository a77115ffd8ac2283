"""What the user has set: environment variables, settings.json, allowed model ids and host names."""
