"""The pack's access to a running ComfyUI: folders, interrupt flag, progress, events, threads, tensor placement.

The node classes use `comfy_api`, and nodes/outputs.py the host's ExecutionBlocker; everything else of the host is reached
from here. Each function also works without a running server (a headless import, a test): then there is no progress.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .core.engine import Engine
from .core.errors import ConfigError
from .core.errors.classes import sentence
from .core.errors.messages import msg
from .core.execution.orders.order_book import OrderEnd
from .core.ledger import RunContext
from .core.providers import BUILT_IN
from .core.providers.spec import ProviderSpec

log = logging.getLogger("nano_banana")

TICK = 0.05
"""Seconds between two looks at the interrupt flag."""
_PROGRESS_SECONDS = 0.25

_engine: Engine | None = None
_lock = threading.Lock()
_offline: Any = None


_draft_pages: set[str] = set()
"""Ids of the connected pages that show drafts."""
recovered: dict[str, Any] = {}
"""What was recovered last, after a start or when an order arrived: text, pictures, failed, and `at` in Unix time; empty
where nothing was. For pages that were not connected yet when the event was sent."""


def engine() -> Engine:
    """The engine of this process, created by the first call."""
    global _engine
    with _lock:
        if _engine is None:
            _engine = Engine(data_folder(), offline_address)
            _engine.orders.on_end = _order_ended
        return _engine


def provider_options() -> tuple[Mapping[str, ProviderSpec], list[str], tuple[str, ...]]:
    """The providers and profiles that a graph may name here, and the mistakes in the user's own file.

    Never raises: the host asks for this when it lists its nodes.
    """
    try:
        known = engine()
        return known.specs(), known.profiles(), known.providers_file().errors
    except Exception:  # a setting that makes no sense is reported by the first node that runs
        log.debug("only the built-in providers are offered", exc_info=True)
        return BUILT_IN, ["default"], ()


def data_folder() -> Path:
    """The pack's own folder: never served over HTTP. Not created here. Raises ConfigError."""
    named = os.environ.get("NANO_BANANA_HOME", "").strip()
    if named:
        try:
            return Path(named).expanduser()
        except RuntimeError:  # ~nobody
            raise ConfigError(
                msg("comfyui.home_folder_unknown"),
                cure=msg("comfyui.use_whole_path"),
            ) from None
    import folder_paths

    try:
        return Path(folder_paths.get_system_user_directory("nano_banana"))
    except AttributeError:  # hosts before system user directories
        return Path(folder_paths.get_user_directory()) / "__nano_banana"


def offline_address() -> str:
    """The base URL of the simulator, which is started on first use and lives as long as the process."""
    global _offline
    with _lock:
        if _offline is None:
            from .simulator import start

            _offline = start(0)
            log.info("the offline simulation listens on %s", _offline.origin)
        return str(_offline.base_url("offline"))


def executing_node() -> tuple[str, str] | None:
    """(prompt id, node id) of the coroutine that asks; None outside of a node."""
    try:
        from comfy_execution.utils import get_executing_context

        context = get_executing_context()
        return (str(context.prompt_id), str(context.node_id)) if context else None
    except (ImportError, AttributeError):
        return None


def run_context(node_id: str | None, prompt: Any = None, extra: Any = None) -> RunContext:
    """Who asks: the prompt that runs now, the node, and the graph as the host has it."""
    run, _ = executing_node() or ("", "")
    workflow = extra.get("workflow") if isinstance(extra, dict) else None
    graph = {"workflow": workflow, "prompt": prompt} if workflow or prompt else None
    return RunContext(run or uuid.uuid4().hex, node=str(node_id or ""), graph=graph)


def recover_after_start() -> None:
    """Fetches pictures that were paid before the restart, once the server starts. Only where there is a journal."""

    def recover() -> None:
        try:
            if engine().ledger.is_empty:
                return
            _recover_once()
            if pause := engine().ledger.database.grace_seconds:
                # What a worker of a farm was at when it was killed belongs to it for so long.
                time.sleep(pause + 1)
                _recover_once()
            engine().sweep(lambda: time.sleep(60))
        except Exception:  # a folder or a setting that makes no sense is reported by the first node that runs
            log.debug("nothing was recovered", exc_info=True)

    at_server_start(threading.Thread(target=recover, daemon=True, name="nano-banana-recovery").start)


def _recover_once() -> None:
    recovery = engine().recover()
    recovery.wait()
    result = recovery.result
    if result.text:
        _show_recovered(result.text, result.images, result.failed)


def _order_ended(end: OrderEnd) -> None:
    if end.cancelled and not end.images:
        # Whoever cancelled it has the answer: the pages only load their results again.
        send_event("collected", {"text": "", "pictures": 0, "failed": end.failed}, everybody=True)
        return
    _show_recovered(end.text, end.images, end.failed)


def _show_recovered(text: str, images: int, failed: int) -> None:
    """Writes what arrived without a run to the log, and sends it to every open page."""
    log.warning("Nano Banana: %s", sentence(text))
    recovered.update({"text": text, "pictures": images, "failed": failed, "at": time.time()})
    send_event("collected", dict(recovered), everybody=True)


# ------------------------------------------------------------------------------------------------------- interrupt


def interrupted() -> bool:
    """Whether the user has interrupted the prompt that runs now. Looking does not clear the flag."""
    from comfy import model_management

    return bool(model_management.processing_interrupted())


def interrupt_exception() -> BaseException:
    """The exception that ends a prompt as interrupted and not as failed."""
    from comfy import model_management

    return model_management.InterruptProcessingException()


def resolve(future: asyncio.Future[Any], result: Any = None) -> None:
    """Sets the result of a future from another thread, unless it is done or its loop is closed: nothing waits any more then."""

    def set_result() -> None:
        if not future.done():
            future.set_result(result)

    try:
        future.get_loop().call_soon_threadsafe(set_result)
    except RuntimeError:
        pass


def _begun(work: Callable[[], Any], name: str) -> asyncio.Future[tuple[Any, BaseException | None]]:
    """Runs slow work on a daemon thread; the future gets what it gave, or what it raised."""
    ended: asyncio.Future[tuple[Any, BaseException | None]] = asyncio.get_running_loop().create_future()

    def live() -> None:
        value, failed = None, None
        try:
            value = work()
        except BaseException as error:
            failed = error
        resolve(ended, (value, failed))

    threading.Thread(target=live, daemon=True, name=name).start()
    return ended


async def in_thread(work: Callable[[], Any]) -> Any:
    """Runs slow work on a daemon thread and waits for it; an interrupt ends the wait, not the work.

    Raises what `work` raises.
    """
    ended = _begun(work, "nano-banana-work")
    while not ended.done():
        if interrupted():
            raise interrupt_exception()
        await asyncio.wait({ended}, timeout=TICK)
    value, error = ended.result()
    if error is not None:
        raise error
    return value


async def off_loop(work: Callable[[], Any]) -> Any:
    """Runs slow work of the server's own loop on a daemon thread, and waits for it. Raises what `work` raises.

    Not in the loop's executor: that would hold Ctrl+C until the work is done.
    """
    value, error = await _begun(work, "nano-banana-route")
    if error is not None:
        raise error
    return value


def server_routes() -> Any:
    """Where the server takes routes, or None without a server."""
    try:
        from server import PromptServer

        return PromptServer.instance.routes
    except (ImportError, AttributeError):
        return None


def node_classes() -> Mapping[str, Any]:
    """Every node class that the host has registered, by node id; empty without a host."""
    try:
        import nodes

        return dict(nodes.NODE_CLASS_MAPPINGS)
    except (ImportError, AttributeError):
        return {}


def at_server_start(work: Callable[[], None]) -> None:
    """Has `work` called once every pack is loaded and the server is about to answer; never without a server."""

    async def begin(_: object) -> None:
        work()

    try:
        from server import PromptServer

        PromptServer.instance.app.on_startup.append(begin)
    except (ImportError, AttributeError, RuntimeError):  # RuntimeError: it runs already
        log.debug("the start of the server was not waited for", exc_info=True)


def multi_user() -> bool:
    """Whether the host was started with --multi-user: it then keeps workflows and its own settings apart by user."""
    try:
        from comfy.cli_args import args

        return bool(args.multi_user)
    except (ImportError, AttributeError):
        return False


def input_folder() -> Path:
    """Where LoadImage looks."""
    import folder_paths

    return Path(folder_paths.get_input_directory())


def temp_folder() -> Path | None:
    """The host's folder for files that it deletes when it starts; None without a host."""
    try:
        import folder_paths

        return Path(folder_paths.get_temp_directory())
    except ImportError:
        return None


def input_file_state(name: str, since: float) -> str:
    """Of a file as LoadImage names it: "here", "changed" since a Unix time, "gone", or "" where it isn't looked for.

    The name is from a stored workflow: only the times of files inside the host's folders are read.
    """
    import folder_paths

    try:
        bare, folder = folder_paths.annotated_filepath(name)
        root = Path(folder or folder_paths.get_input_directory()).resolve()
        file = (root / bare).resolve()
        if root not in file.parents:
            return ""
        return "changed" if file.stat().st_mtime > since else "here"
    except FileNotFoundError:
        return "gone"
    except (OSError, ValueError):
        return ""


def load_image(name: str) -> Any:
    """The IMAGE that the host's LoadImage gives for a file of its input folder. Raises whatever it raises."""
    import nodes  # the host's own module of that name

    return nodes.LoadImage().load_image(name)[0]


# ------------------------------------------------------------------------------------------------------- progress


class NodeProgress:
    """Progress on a running node: text, a bar, previews. Sent only to the page that queued the prompt."""

    def __init__(self, node_id: str | None) -> None:
        self._node = node_id
        self._last = 0.0
        self._text = ""
        self._facts: dict[str, Any] | None = None
        try:
            from server import PromptServer

            self._server: Any = PromptServer.instance
            self._client = self._server.client_id
        except (ImportError, AttributeError):
            self._server = self._client = None
        try:
            from comfy_api.latest import ComfyAPI

            self._api: Any = ComfyAPI()
        except ImportError:
            self._api = None

    def set_text(self, text: str, facts: dict[str, Any] | None = None) -> None:
        """Shows text without a bar, at once. `facts` say the same to the pack's browser side, as the event "progress"."""
        if self._server is None or self._client is None or not self._node:
            return
        if text != self._text:
            self._text = text
            # Without a receiver the host would send it to every browser.
            self._server.send_progress_text(text, self._node, self._client)
        if facts and facts != self._facts:  # the size of a preview changes without the text
            self._facts = facts
            send_event("progress", facts)

    async def show(
        self,
        text: str,
        done: int,
        total: int,
        preview: Any = None,
        *,
        facts: dict[str, Any] | None = None,
        keep_size: bool = False,
        force: bool = False,
    ) -> None:
        """Shows text and a bar, at most four times a second unless `force`; a preview (small RGB PIL image) at once.

        `keep_size`: the host enlarges the preview to its own limit otherwise.
        """
        now = time.monotonic()
        if preview is None and not force and now - self._last < _PROGRESS_SECONDS:
            return
        self._last = now
        self.set_text(text, facts)
        if self._api is not None and self._node:
            try:
                await self._api.execution.set_progress(
                    done, total, node_id=self._node, preview_image=preview, ignore_size_limit=keep_size
                )
            except Exception:
                log.debug("progress could not be shown", exc_info=True)
                self._api = None


def set_shows_drafts(client: str, shows: bool) -> bool:
    """Notes whether a page shows drafts, by the id of its websocket; whether it does from now on. Never for one that is not
    connected."""
    connected = _connected_pages()
    _draft_pages.intersection_update(connected)  # of pages that were closed
    if shows and client in connected:
        _draft_pages.add(client)
    else:
        _draft_pages.discard(client)
    return client in _draft_pages


def page_shows_drafts() -> bool:
    """Whether the page that queued the running prompt is still connected and shows drafts."""
    try:
        from server import PromptServer

        client = PromptServer.instance.client_id
    except (ImportError, AttributeError):
        return False
    return client in _draft_pages and client in _connected_pages()


def _connected_pages() -> set[str]:
    """The ids of the open websockets; empty without a server."""
    try:
        from server import PromptServer

        return set(PromptServer.instance.sockets)
    except (ImportError, AttributeError):
        return set()


def send_event(event: str, facts: dict[str, Any], *, everybody: bool = False) -> None:
    """Sends an event to the pack's browser side: to the page that queued the prompt, or with `everybody` to all open ones."""
    try:
        from server import PromptServer

        server = PromptServer.instance
        if server.client_id is not None or everybody:
            server.send_sync(f"nano_banana.{event}", facts, None if everybody else server.client_id)
    except (ImportError, AttributeError):
        pass


def tensor_placement() -> tuple[Any, Any]:
    """Device and dtype that the host wants for images between nodes."""
    import torch

    try:
        from comfy.model_management import intermediate_device, intermediate_dtype

        return intermediate_device(), intermediate_dtype()
    except (ImportError, AttributeError):
        return torch.device("cpu"), torch.float32
