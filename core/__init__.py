"""The life of one request, in plain Python.

Nothing in here imports ComfyUI or torch, and nothing in here imports the rooms above it (`nodes`, `host`, `routes`,
`simulator`). The nodes hand in plain values and picture handles and get bytes back.
"""
