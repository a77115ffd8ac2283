"""APIs that take many requests as one order, which is made later for less. Pure, as the dialects of single requests."""
