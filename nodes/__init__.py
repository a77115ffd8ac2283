"""The nodes. Only they import torch, and comfyui.py for the device and dtype of tensors."""
