"""The HTTP routes behind the browser side, under /nano_banana/.

They are closed to other web sites by themselves (see `security`), whatever the host is started with. Keys go one way: they
can be written, replaced, tested and deleted, and never come back.
"""

from __future__ import annotations

from .. import comfyui
from . import drafts, estimate, hosts, keys, messages, models, node_ids, orders, providers, results, settings
from .security import guarded

PREFIX = "/nano_banana"


def register() -> None:
    """Adds the routes to the running server; does nothing without one."""
    table = comfyui.server_routes()
    if table is None:
        return
    for method, path, work in [
        each
        for module in (providers, models, keys, settings, estimate, drafts, results, orders, hosts, messages, node_ids)
        for each in module.ROUTES
    ]:
        getattr(table, method.lower())(PREFIX + path)(guarded(work, any_name=work is hosts.OPEN))
