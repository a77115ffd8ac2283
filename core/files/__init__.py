"""Files of the data folder: private, written whole, read with their mistakes named."""
