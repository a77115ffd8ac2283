"""The API of the free provider `offline`: the shape of OpenAI's images API with every option there is.

Takes no key and refuses one, so that a key can't be sent here by mistake. Edits are forms with repeated `image` files.
"""

from __future__ import annotations

import time
from typing import Any

from .api import Api, Call, Route, error_object, route
from .fields import Check, any_text, check_fields, choice, decimal, flag, flag_word, text, whole, wrong
from .image_request import ImageRequest
from .message import Reply, json_reply
from .problem import Problem
from .references import Reference, from_part
from .results import Result
from .sizes import RATIOS_14, nearest_ratio, pixels

MOST = 14
LARGEST_SEED = 2**63 - 1


class Offline(Api[Any]):
    """See the module."""

    id = "offline"

    def routes(self) -> tuple[Route, ...]:
        """Generations and edits."""
        return (
            route("generations", "POST", "/v1/images/generations", read=self._generation),
            route("edits", "POST", "/v1/images/edits", read=self._edit, body="multipart"),
        )

    def _generation(self, call: Call) -> ImageRequest:
        checks: dict[str, Check] = {
            "n": whole(1, 4),
            "aspect_ratio": choice(*RATIOS_14),
            "seed": whole(0, LARGEST_SEED),
            "limit_generations": flag,
            "enable_web_search": flag,
            "drafts": flag,
        }
        return self._order(call, checks, [])

    def _edit(self, call: Call) -> ImageRequest:
        references: list[Reference] = []
        for part in call.parts:
            if part.name == "image":
                if part.filename is None:
                    raise wrong("image", "must be a file")
                references.append(from_part(part))
                call.note(references)
        if not 1 <= len(references) <= MOST:
            raise wrong("image", f"needs 1 to {MOST} files")
        checks: dict[str, Check] = {
            "n": decimal(1, 4),
            "aspect_ratio": choice("auto", *RATIOS_14),
            "seed": decimal(0, LARGEST_SEED),
            "limit_generations": flag_word,
            "enable_web_search": flag_word,
            "drafts": flag_word,
        }
        return self._order(call, checks, references)

    def _order(self, call: Call, checks: dict[str, Check], references: list[Reference]) -> ImageRequest:
        checks |= {
            "model": choice("offline"),
            "prompt": text(),
            "image_size": choice("0.5K", "1K", "2K", "4K"),
            "output_format": choice("png", "jpeg", "webp"),
            "safety_tolerance": choice("1", "2", "3", "4", "5", "6"),
            "thinking_level": choice("minimal", "medium", "high"),
            "system_prompt": any_text,
            "response_format": choice("url", "b64_json"),
        }
        fields = check_fields(call.fields, checks, ("model", "prompt"))
        ratio = fields.get("aspect_ratio", "auto")
        if ratio == "auto":
            first = references[0] if references else None
            ratio = nearest_ratio(first.width, first.height, RATIOS_14) if first else "1:1"
        tier = fields.get("image_size", "1K")
        return ImageRequest(
            model="offline",
            prompt=fields["prompt"],
            size=pixels(ratio, tier),
            ratio=ratio,
            resolution=tier,
            price=0.0,
            count=fields.get("n", 1),
            seed=fields.get("seed"),
            file_format=fields.get("output_format", "png"),
            encoding="b64" if fields.get("response_format") == "b64_json" else "url",
            references=references,
            drafts=_drafts(fields),
        )

    def problem(self, problem: Problem) -> Reply:
        """In the shape of OpenAI's images API."""
        code = "invalid_parameter" if problem.field and not problem.named else problem.code
        kind = "server_error" if problem.status >= 500 else "invalid_request_error"
        return error_object(problem.status, problem.message, kind, code, problem.headers)

    def finished(
        self, call: Call, image_request: ImageRequest, results: list[Result], revised: str | None = None
    ) -> Reply:
        """`created` and `data`."""
        data: list[dict[str, str]] = [result.entry() for result in results]
        if revised is not None:
            data = [{"revised_prompt": revised}]
        return json_reply(200, {"created": int(time.time()), "data": data})


def _drafts(fields: dict[str, Any]) -> int:
    """How many drafts come with each picture: one, two of a model that thinks hard, none of one that doesn't."""
    if not fields.get("drafts"):
        return 0
    return {"minimal": 0, "high": 2}.get(fields.get("thinking_level", "medium"), 1)


API = Offline()
