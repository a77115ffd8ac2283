"""Plans a run: the graph's choice of providers resolved on this machine, each request negotiated with a model."""
