"""Commands about the journal: `python ledger.py list`, `spend`, `export`, `recover`, `forget`, `reindex`, `move`, `upload`.

Run it with the Python of ComfyUI, which may be the embedded one of Windows. It loads the pack from the folder of this file, and
neither changes `sys.path` nor imports ComfyUI.
"""

import importlib
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

HERE = Path(__file__).absolute().parent
NAME = "nano_banana_your_key"


def main() -> int:
    """Imports `core` without the pack's entry point for ComfyUI, and runs the command."""
    spec = ModuleSpec(NAME, None, is_package=True)
    spec.submodule_search_locations = [str(HERE)]
    sys.modules[NAME] = importlib.util.module_from_spec(spec)
    try:
        command = importlib.import_module(NAME + ".core.cli")
    except ImportError as error:
        sys.stderr.write(f"ledger.py: this Python lacks {error.name}: run it with the Python that runs ComfyUI.\n")
        return 2
    code: int = command.main(sys.argv[1:], HERE)
    return code


if __name__ == "__main__":
    sys.exit(main())
