"""API keys: where they come from, where they are stored, and which one a provider is sent."""
