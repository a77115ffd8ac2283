"""Files of the data folder: written privately and atomically, read with a limit."""
