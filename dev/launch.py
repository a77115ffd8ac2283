"""`python launch.py <ComfyUI folder> [its arguments]` starts the fetched ComfyUI in the environment made for it.

ComfyUI imports torchvision and torchaudio. Their published builds are made for the CUDA torch and their native
libraries don't load beside a CPU one. Two small bridges, each laid only where the plain import fails: torchvision gets the
two operator schemas that it looks up while it is imported; torchaudio runs without its extension once the library files
are out of its sight. They rename files in the environment, so a user's ComfyUI is never started with this.
"""

import importlib
import importlib.util
import os
import runpy
import sys
from contextlib import suppress
from pathlib import Path

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


def declare_operators() -> object:
    """Gives torch the schemas torchvision's Python side refers to. They live as long as the returned object."""
    library = importlib.import_module("torch").library.Library("torchvision", "DEF")
    for schema in SCHEMAS:
        library.define(schema)
    return library


def park_libraries(package: str) -> None:
    """Renames the package's shared libraries. Several hosts may start at once: what another one renamed is fine."""
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        for path in [path for path in Path(folder, "lib").glob("*") if path.suffix in (".so", ".pyd", ".dylib")]:
            with suppress(FileNotFoundError):
                path.rename(f"{path}.unused")


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
