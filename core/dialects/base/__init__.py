"""What all dialects share: the steps they return, polling, uploads and request variants."""
