"""What ComfyUI loads. Imported as anything but a package (a test runner looking around), it does nothing."""

if __package__:
    from .extension import WEB_DIRECTORY, comfy_entrypoint

    __all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
