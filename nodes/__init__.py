"""What a graph sees. Only these files know torch and the host's node classes."""
