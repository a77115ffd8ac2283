"""`python launch.py <ComfyUI folder> [its arguments]` starts the fetched ComfyUI in the environment made for it.

ComfyUI imports torchvision and torchaudio. Their published builds are made for the CUDA torch and their native
libraries don't load beside a CPU one. Two small bridges, each laid only where the plain import fails:
torchvision gets the two operator schemas that it looks up while it is imported; torchaudio runs without its
extension once the library files are out of its sight.

It refuses to be used on a ComfyUI of the user's: it renames files in the environment it runs in, so
`comfy_host.py` starts this file for the fetched environment only and a user's ComfyUI through its own `main.py`.
"""

import importlib
import importlib.util
import os
import runpy
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PARKED = ".unused"
SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def loads(package: str) -> bool:
    """Whether the package imports. A failed try leaves no half-imported modules behind."""
    try:
        importlib.import_module(package)
    except (ImportError, OSError, RuntimeError, AttributeError):
        for name in [name for name in sys.modules if name == package or name.startswith(package + ".")]:
            del sys.modules[name]
        return False
    return True


def native_libraries(package: str) -> Iterator[Path]:
    """The shared libraries in the package's `lib` folder, found without importing the package."""
    spec = importlib.util.find_spec(package)
    for install in (spec.submodule_search_locations if spec else None) or ():
        for pattern in ("*.so", "*.pyd", "*.dylib"):
            yield from Path(install, "lib").glob(pattern)


def declare_operators() -> object:
    """Gives torch the schemas torchvision's Python side refers to. They live as long as the returned object."""
    torch = importlib.import_module("torch")
    library = torch.library.Library("torchvision", "DEF")
    for schema in SCHEMAS:
        library.define(schema)
    return library


def park_libraries(package: str) -> None:
    """Renames the package's shared libraries. Several hosts may start at once: what another one renamed is fine."""
    for path in list(native_libraries(package)):
        with suppress(FileNotFoundError):
            path.rename(path.with_name(path.name + PARKED))


def main(arguments: list[str]) -> None:
    """Becomes ComfyUI: its folder is the working directory and the first place that modules are looked for."""
    comfyui = os.path.abspath(arguments[0])
    os.chdir(comfyui)
    # What `python main.py` would have done by itself: this file's own folder must not be importable there.
    sys.path[0] = comfyui
    sys.argv = ["main.py", *arguments[1:]]
    kept = None if loads("torchvision") else declare_operators()
    if not loads("torchaudio"):
        park_libraries("torchaudio")
    runpy.run_path("main.py", run_name="__main__")
    del kept


if __name__ == "__main__":
    main(sys.argv[1:])
