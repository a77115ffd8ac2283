"""Takes secrets and pictures out of every text that leaves this process."""
