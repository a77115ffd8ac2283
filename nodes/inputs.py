"""The widgets that Generate and Edit share, and the options of a request that are made of their values.

Widget values are positional in saved workflows: names and order never change, new ones are appended. Every input is
optional with its default, so that prompts written before it existed go on running.
"""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..core.errors.messages import msg
from ..core.providers.spec import EXTREME_RATIOS, RATIOS, RESOLUTIONS, Operation
from ..core.request import MAX_SEED, Options, folded_seed

CATEGORY = "image/nano banana"
Provider = io.Custom("NANO_BANANA_PROVIDER")
ConversationSocket = io.Custom("NANO_BANANA_CONVERSATION")

KEEP, FAIL, BLOCK, ORIGINAL = "keep what succeeded", "fail", "stop this branch", "keep the original frame"
THOUGHTS_OUTPUT: dict[Operation, int] = {"generate": 4, "edit": 5}
"""The place of the output `thoughts` on each node, from 0."""
ASPECT_RATIOS = ["auto", *RATIOS, *EXTREME_RATIOS]


def prompt() -> io.Input:
    return io.String.Input(
        "prompt",
        multiline=True,
        dynamic_prompts=False,
        placeholder="What the picture should show, or what should change in it",
        tooltip="Sent as it is. Braces are not expanded.",
    )


def provider() -> io.Input:
    return Provider.Input(
        "provider",
        optional=True,
        tooltip="A Nano Banana Provider node. Unconnected: the first provider with a key on this machine that can do the "
        "request.",
    )


def shared(failures: list[str]) -> list[io.Input]:
    """From aspect_ratio to on_failure, in the order of the contract. `failures`: the choices of on_failure."""
    return [*_picture_inputs(), *_advanced_inputs(failures)]


def _picture_inputs() -> list[io.Input]:
    return [
        io.Combo.Input(
            "aspect_ratio",
            options=ASPECT_RATIOS,
            default="auto",
            optional=True,
            tooltip="auto: the provider's own choice; on edits the ratio of the first image.",
        ),
        io.Combo.Input(
            "resolution",
            options=["auto", *RESOLUTIONS],
            default="auto",
            optional=True,
            tooltip="auto: the provider's default, mostly 1K. Larger pictures cost more.",
        ),
        io.Int.Input(
            "num_images",
            default=1,
            min=1,
            max=16,
            optional=True,
            tooltip="Each picture is paid. Queueing again asks only for those that are missing.",
        ),
        io.Int.Input(
            "seed",
            default=0,
            min=0,
            max=MAX_SEED,
            optional=True,
            control_after_generate=io.ControlAfterGenerate.fixed,
            tooltip="The same seed gives the stored picture again for free; a new seed is a new, paid request, also where "
            "the provider takes no seed.",
        ),
    ]


def _advanced_inputs(failures: list[str]) -> list[io.Input]:
    return [
        io.Boolean.Input(
            "enable_web_search",
            default=False,
            optional=True,
            advanced=True,
            tooltip="Lets the model look things up. Some providers charge extra.",
        ),
        io.Combo.Input(
            "safety_tolerance",
            options=["default", "1", "2", "3", "4", "5", "6"],
            default="default",
            optional=True,
            advanced=True,
            tooltip="1 is the strictest moderation, 6 the least strict. Left out where the provider has none.",
        ),
        io.Combo.Input(
            "limit_generations",
            options=["default", "on", "off"],
            default="default",
            optional=True,
            advanced=True,
            tooltip="on: one picture per round whatever the prompt says. Experimental at the providers that have it.",
        ),
        io.Combo.Input(
            "output_format",
            options=["auto", "png", "jpeg", "webp"],
            default="auto",
            optional=True,
            advanced=True,
            tooltip="The file format at the provider. The graph gets pixels in any case.",
        ),
        io.Combo.Input(
            "thinking",
            options=["default", "minimal", "medium", "high"],
            default="default",
            optional=True,
            advanced=True,
            tooltip="How much the model plans before it draws. Left out where the provider has none.",
        ),
        io.String.Input(
            "system_prompt",
            default="",
            multiline=True,
            optional=True,
            advanced=True,
            tooltip="Standing instructions. Left out where the provider takes none.",
        ),
        io.Combo.Input(
            "on_failure",
            options=failures,
            default=KEEP,
            optional=True,
            advanced=True,
            tooltip="When some pictures fail. 'keep what succeeded' goes on with the others, 'fail' ends the prompt (what "
            "was paid is kept for the next run), 'stop this branch' blocks the outputs of this node only.",
        ),
    ]


def latest() -> list[io.Input]:
    """What both nodes got after 0.1, behind their other inputs."""
    return [
        io.Boolean.Input(
            "with_text",
            default=False,
            optional=True,
            advanced=True,
            tooltip="Asks for words beside the picture, for the output `text`. Left out where the provider gives none.",
        ),
        io.Float.Input(
            "temperature",
            default=-1.0,
            min=-1.0,
            max=2.0,
            step=0.05,
            optional=True,
            advanced=True,
            tooltip="0: the likeliest picture, 2: the most unlikely ones. Below 0: the provider's own, nothing is sent.",
        ),
        io.Float.Input(
            "top_p",
            default=-1.0,
            min=-1.0,
            max=1.0,
            step=0.05,
            optional=True,
            advanced=True,
            tooltip="How much of what is likely the model chooses from, up to 1. Below 0: the provider's own, nothing is sent.",
        ),
        io.Combo.Input(
            "delivery",
            options=["now", "batch"],
            default="now",
            optional=True,
            advanced=True,
            tooltip="batch: all pictures of the node as one order at half price, Google only. Up to 24 hours; they arrive "
            "by themselves: queue again then. Until then the picture outputs are blocked, and nothing behind them runs.",
        ),
        ConversationSocket.Input(
            "conversation",
            optional=True,
            tooltip="Goes on from earlier pictures: the output of another node of these. One branch is for every picture, "
            "several are for one picture each. Where a provider takes no turns, the last picture goes as picture 1.",
        ),
    ]


def outputs() -> list[io.Output]:
    return [
        io.Image.Output(
            "images", is_output_list=True, tooltip="RGB. One batch when all share a size, else one by one."
        ),
        io.Mask.Output("masks", is_output_list=True, tooltip="Transparency of the results: 1 - alpha."),
        io.String.Output("text", is_output_list=True, tooltip="The model's words or the revised prompt."),
        io.String.Output("info", is_output_list=True, tooltip="JSON: provider, sizes, seeds, cost, notices."),
    ]


def thoughts() -> io.Output:
    """The output with the drafts, behind those of 0.1."""
    return io.Image.Output(
        "thoughts",
        is_output_list=True,
        tooltip="What the model drew while thinking, where the provider sends it: one batch when all share a size, else one "
        "by one. Nothing runs behind it when there are no drafts.",
    )


def latest_outputs() -> list[io.Output]:
    """What both nodes got after 0.1, behind their other outputs."""
    return [
        ConversationSocket.Output(
            "conversation",
            is_output_list=True,
            tooltip="What was said up to each picture. Connect it to the next Nano Banana node to go on from there.",
        ),
    ]


def options_of(values: dict[str, Any]) -> Options:
    """The options of a request from the values of the widgets."""
    return Options(
        aspect_ratio=values["aspect_ratio"],
        resolution=values["resolution"],
        web_search=bool(values["enable_web_search"]),
        safety_tolerance=values["safety_tolerance"],
        limit_generations=values["limit_generations"],
        output_format=values["output_format"],
        thinking=values["thinking"],
        system_prompt=values["system_prompt"],
        with_text=bool(values["with_text"]),
        temperature=_given(values["temperature"]),
        top_p=_given(values["top_p"]),
        delivery=values["delivery"],
    )


def _given(number: float) -> float | None:
    """A number of a widget, without the error of its steps; None for a negative one, the provider's own."""
    return None if number < 0 else round(float(number), 6) + 0.0  # a zero below zero is zero


def seed_of(seed: int) -> tuple[int, list[str]]:
    """The seed, folded into the range, with a notice where a linked one was outside."""
    folded = folded_seed(int(seed))
    if folded == seed:
        return folded, []
    # Python refuses to write a number of thousands of digits.
    shown = (
        f"the seed {seed}" if abs(seed) < 10**40 else msg("inputs.seed_bit_length", bit_length=int(seed).bit_length())
    )
    return folded, [msg("inputs.seed_was_reduced", shown=shown, max_seed=MAX_SEED, folded=folded)]


def stray(names: list[str]) -> str:
    """The message for linked inputs that this node doesn't have."""
    listed = ", ".join(sorted(names))
    return msg("inputs.unknown_input", listed=listed)
