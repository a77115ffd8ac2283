"""The entry point: four nodes and the browser side."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from . import comfyui, routes
from .nodes import id_conflicts
from .nodes.conversation import NanoBananaConversation
from .nodes.edit import NanoBananaEdit
from .nodes.generate import NanoBananaGenerate
from .nodes.provider_config import ProviderConfig

WEB_DIRECTORY = "./web"
NODES: list[type[io.ComfyNode]] = [NanoBananaGenerate, NanoBananaEdit, ProviderConfig, NanoBananaConversation]


class NanoBanana(ComfyExtension):
    """The pack."""

    async def on_load(self) -> None:
        routes.register()
        id_conflicts.watch(NODES)
        comfyui.recover_after_start()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return NODES


async def comfy_entrypoint() -> NanoBanana:
    return NanoBanana()
