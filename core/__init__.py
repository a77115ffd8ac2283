"""The life of one request, in plain Python.

Nothing in here imports ComfyUI or torch, or the pack's other parts (`simulator`, `comfyui`, `nodes`, `routes`). The nodes hand
in plain values and picture handles and get pixels back.
"""
