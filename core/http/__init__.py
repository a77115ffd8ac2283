"""One HTTP exchange: which addresses are allowed, what is sent, how an answer is read, what a failure means."""
