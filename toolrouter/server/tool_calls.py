"""One tool call towards its upstream: arguments checked, the definition held to its pin, failures put into words."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio.to_thread

from toolrouter.errors import NotFound, RpcError, UpstreamError
from toolrouter.ports import OnProgress
from toolrouter.server.arguments import ArgumentChecks, as_object
from toolrouter.server.gates import Record
from toolrouter.server.results import asks_for_input, error_result
from toolrouter.server.starting import told_while_starting
from toolrouter.server.words import upstream_failure, wrong_arguments
from toolrouter.types import JsonObject, ServerState, Status, Tool
from toolrouter.wire.caller import CALLER

if TYPE_CHECKING:
    from toolrouter.server.router import Router

logger = logging.getLogger(__name__)


class ToolCalls:
    """The calls of one router; what may be called at all is decided before."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._checks = ArgumentChecks()
        self._checks_loaded = False

    async def params(
        self, tool: Tool, arguments: object, meta: JsonObject | None, retry: JsonObject | None
    ) -> JsonObject:
        """The params of the upstream's `tools/call`; or a result with `isError` when the arguments do not fit."""
        if not self._checks_loaded:
            await anyio.to_thread.run_sync(self._checks.load)  # off the loop: other hosts' requests go on
            self._checks_loaded = True
        given = as_object(arguments)
        faults = ["arguments must be a JSON object"] if given is None else self._checks.faults(tool, given)
        if given is None or faults:
            return error_result(wrong_arguments(tool, faults))
        params: JsonObject = {"name": tool.name, "arguments": given, **(retry or {})}
        if meta:
            params["_meta"] = meta
        return params

    async def send(self, tool: Tool, params: JsonObject, on_progress: OnProgress | None, record: Record) -> JsonObject:
        """The upstream's own result; or one with `isError` where it could not be had. Raises NotFound, RpcError."""
        router = self._router
        started = time.perf_counter()
        succeeded = False
        try:
            result = await self._request(tool, params, on_progress)
            succeeded = result.get("isError") is not True
        except UpstreamError as error:
            logger.warning("%s: %s", tool.id, error)
            record.outcome = f"failed: {type(error).__name__}"
            return error_result(upstream_failure(tool, error))
        finally:
            elapsed_ms = round((time.perf_counter() - started) * 1000, 2)
            router.log({"kind": "call", "tool": tool.id, "succeeded": succeeded, "elapsed_ms": elapsed_ms})
        if asks_for_input(result) and CALLER.get() is None:
            return error_result(f"`{tool.id}` wants to ask the user something, and there is no host to ask.")
        try:
            if not router.parking.holds(result):  # its questions were judged when they were asked
                result = router.hosts.asking.incoming(tool.server, result)
        except RpcError as error:
            record.outcome = "refused: its question"
            return error_result(f"`{tool.id}` was not finished: {error.message}")
        record.returned(result)
        return result

    async def _request(self, tool: Tool, params: JsonObject, on_progress: OnProgress | None) -> JsonObject:
        router = self._router
        params = router.hosts.asking.outgoing(tool.server, params)

        async def request(started: Callable[[], None] = lambda: None) -> JsonObject:
            def before_send() -> None:
                started()
                self._check_pin(tool)

            return await router.parking.request(
                router.words(), tool.server, "tools/call", params, on_progress=on_progress, before_send=before_send
            )

        runs = router.fleet.state(tool.server).state is ServerState.RUNNING
        if on_progress is None or (runs and not router.hosts.asking.allowed(tool.server)):
            return await request()
        return await told_while_starting(tool.server, on_progress, request)

    def _check_pin(self, tool: Tool) -> None:
        """Starting a server lists it: what it says now must still be what was found. Raises NotFound."""
        now = self._router.catalog.tools.get(tool.id)
        if now is None or now.status is not Status.APPROVED or now.hash != tool.hash:
            raise NotFound(f"`{tool.id}` is no longer what it was: its server changed it. Search again.")
