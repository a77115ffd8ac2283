"""Who does a request: the graph's choice, resolved on this machine and negotiated with the provider's capabilities."""
