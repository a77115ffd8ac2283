"""The built-in providers. One file each with a `PROVIDER` in it; a new file is found by itself."""
