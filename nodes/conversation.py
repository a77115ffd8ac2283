"""NanoBananaConversation: the conversation of a picture in the results folder."""

from __future__ import annotations

import re
from typing import Any

from comfy_api.latest import io

from .. import comfyui
from ..core.errors import InvalidInput, NanoBananaError
from ..core.errors.messages import msg
from ..core.request.conversation import Conversation
from .failure_events import send_failure
from .inputs import CATEGORY, ConversationSocket, stray
from .value_checks import text_of

_CONTENT = re.compile(r"([0-9a-f]{64})(\.[a-z0-9]{1,8})?")
"""SHA-256 of a picture's bytes, also with the ending of its file."""


class NanoBananaConversation(io.ComfyNode):
    """Goes on from a picture that was made earlier."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="NanoBananaConversation",
            display_name="Nano Banana Conversation (your key)",
            category=CATEGORY,
            description="Gives the conversation that has made a picture of the results folder, so that a Nano "
            "Banana Generate or Edit goes on from it. The results panel puts this node on the canvas: Continue this "
            "conversation.",
            search_aliases=["nano banana chat", "multi-turn edit", "continue conversation"],
            inputs=[
                io.String.Input(
                    "picture",
                    default="",
                    optional=True,
                    tooltip="The content id of a picture: the name of its file in the results folder. A picture that is not "
                    "on this machine is refused.",
                ),
            ],
            outputs=[
                ConversationSocket.Output(
                    "conversation", tooltip="One branch: every picture of the node behind it goes on from it."
                )
            ],
        )

    @classmethod
    async def execute(cls, picture: str = "", **unknown: Any) -> io.NodeOutput:
        try:
            if unknown:
                raise InvalidInput(stray(list(unknown)))
            found = _CONTENT.fullmatch(text_of("picture", picture).strip().lower())
            if found is None:
                raise InvalidInput(msg("conversation.no_content_id"), cure=msg("conversation.take_id_from_results"))
            branch = await comfyui.in_thread(lambda: comfyui.engine().branch_of(found[1]))
            if branch is None:
                raise InvalidInput(
                    msg("conversation.picture_not_here", picture=found[1][:12]),
                    cure=msg("conversation.take_id_from_results"),
                )
        except NanoBananaError as error:
            _, node_id = comfyui.executing_node() or ("", "")
            send_failure(node_id, error)
            raise
        return io.NodeOutput(Conversation((branch,)))
