"""The encoder of the partner nodes that come with ComfyUI, to be measured beside ours."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from pack.dev import launch
from pack.dev.environment import ready


@contextmanager
def partner_encoder() -> Iterator[Callable[[torch.Tensor], str]]:
    """`tensor_to_base64_string` of the installed ComfyUI, without its downscale."""
    env = ready()
    sys.path.insert(0, str(env.comfyui))
    bridge = None if not env.fetched or launch.loads("torchvision") else launch.declare_operators()
    arguments, sys.argv = sys.argv, ["bench", "--cpu"]
    from comfy.cli_args import args  # reads the command line when it is imported

    args.cpu = True
    from comfy_api_nodes.util.conversions import tensor_to_base64_string

    sys.argv = arguments
    yield partial(tensor_to_base64_string, total_pixels=None)
    del bridge
