"""The tools that the official conformance suite asks for, in every revision."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from mcp.server.subscriptions import InMemorySubscriptionBus, PromptsListChanged, ToolsListChanged
from mcp.shared.exceptions import MCPError

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAD//w=="
KEY = b"conformance"
OBJECT: dict[str, Any] = {"type": "object"}
NAME_FORM = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
Json = dict[str, Any]
BUS = InMemorySubscriptionBus()
EXTRA = {"tools": 0, "prompts": 0}
"""How often a trigger changed each list."""


def text(value: str, **more: Any) -> Json:
    return {"content": [{"type": "text", "text": value}], **more}


def form(message: str, schema: Json) -> Json:
    return {"method": "elicitation/create", "params": {"mode": "form", "message": message, "requestedSchema": schema}}


def sample(message: str, tokens: int = 100) -> Json:
    content = {"role": "user", "content": {"type": "text", "text": message}}
    return {"method": "sampling/createMessage", "params": {"messages": [content], "maxTokens": tokens}}


ROOTS: Json = {"method": "roots/list", "params": {}}
NAME_REQUEST = form("What is your name?", NAME_FORM)
CONFIRM = form("Please confirm", {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]})


def sealed(state: str) -> str:
    return f"{state}.{hmac.new(KEY, state.encode(), hashlib.sha256).hexdigest()}"


def unsealed(token: str | None) -> str | None:
    if token is None:
        return None
    state, _, seal = token.rpartition(".")
    if not hmac.compare_digest(sealed(state), f"{state}.{seal}"):
        raise MCPError(-32602, "requestState failed its integrity check")
    return state


def wanted(requests: Json, state: str | None = None) -> Json:
    found: Json = {"resultType": "input_required", "inputRequests": requests}
    return found if state is None else {**found, "requestState": sealed(state)}


class Call:
    """One request, as the tools below need it."""

    def __init__(self, ctx: Any, params: Any) -> None:
        self.ctx = ctx
        self.session = ctx.session
        self.arguments: Json = getattr(params, "arguments", None) or {}
        raw = params.model_dump(by_alias=True, mode="json", exclude_none=True)
        self.responses: Json = raw.get("inputResponses") or {}
        self.state: str | None = raw.get("requestState")

    def answered(self, *keys: str) -> bool:
        return all(isinstance(self.responses.get(key), dict) and self.responses[key] for key in keys)

    @property
    def abilities(self) -> Json:
        found = self.session.client_capabilities
        return found.model_dump(by_alias=True, exclude_none=True) if found is not None else {}

    async def ask(self, request: Json) -> Json:
        needed = {"roots/list": "roots", "sampling/createMessage": "sampling", "elicitation/create": "elicitation"}
        if needed[request["method"]] not in self.abilities:
            raise MCPError(-32602, f"The client does not support {request['method']}")
        answer: Json = await self.session._request_outbound.send_raw_request(request["method"], request["params"])
        return answer


Tool = Callable[[Call], Awaitable[Json]]
TOOLS: dict[str, tuple[Json, Tool]] = {}
DESCRIPTIONS: dict[str, str] = {}


def tool(schema: Json = OBJECT) -> Callable[[Tool], Tool]:
    def add(function: Tool) -> Tool:
        TOOLS[function.__name__] = (schema, function)
        DESCRIPTIONS[function.__name__] = f"Conformance: {function.__name__.replace('_', ' ')}"
        return function

    return add


def fixed(name: str, result: Json) -> None:
    async def answer(call: Call) -> Json:
        return result

    answer.__name__ = name
    tool()(answer)


def required(*names: str) -> Json:
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": list(names)}


IMAGE: Json = {"type": "image", "data": PNG, "mimeType": "image/png"}
fixed("test_simple_text", text("This is a simple text response for testing."))
fixed("test_image_content", {"content": [IMAGE]})
fixed("test_audio_content", {"content": [{"type": "audio", "data": WAV, "mimeType": "audio/wav"}]})
fixed(
    "test_embedded_resource",
    {
        "content": [
            {
                "type": "resource",
                "resource": {
                    "uri": "test://embedded-resource",
                    "mimeType": "text/plain",
                    "text": "This is an embedded resource content.",
                },
            }
        ]
    },
)
fixed(
    "test_multiple_content_types",
    {
        "content": [
            {"type": "text", "text": "Multiple content types test:"},
            IMAGE,
            {
                "type": "resource",
                "resource": {
                    "uri": "test://mixed-content-resource",
                    "mimeType": "application/json",
                    "text": '{"test":"data","value":123}',
                },
            },
        ]
    },
)
fixed("test_error_handling", text("This tool intentionally returns an error for testing", isError=True))


@tool()
async def test_tool_with_logging(call: Call) -> Json:
    for number, words in enumerate(("execution started", "processing data", "execution completed")):
        await anyio.sleep(0.05 if number else 0)
        params = {"level": "info", "logger": "fixture", "data": f"Tool {words}"}
        await call.session._request_outbound.notify("notifications/message", params)
    return text("Tool with logging executed")


@tool()
async def test_logging_tool(call: Call) -> Json:
    await call.session.send_log_message("info", "a message", related_request_id=call.ctx.request_id)
    return text("logged where that was asked for")


@tool()
async def test_tool_with_progress(call: Call) -> Json:
    for progress in (0, 50, 100):
        await call.session.report_progress(progress, 100, f"Completed step {progress} of 100")
        await anyio.sleep(0.05)
    return text("done")


@tool(required("prompt"))
async def test_sampling(call: Call) -> Json:
    answer = await call.ask(sample(call.arguments["prompt"]))
    content = answer.get("content")
    return text(f"LLM response: {content.get('text') if isinstance(content, dict) else content}")


async def elicited(call: Call, message: str, schema: Json, words: str) -> Json:
    answer = await call.ask(form(message, schema))
    return text(f"{words}: action={answer.get('action')}, content={json.dumps(answer.get('content') or {})}")


@tool(required("message"))
async def test_elicitation(call: Call) -> Json:
    properties = {
        "username": {"type": "string", "description": "User's response"},
        "email": {"type": "string", "description": "User's email address"},
    }
    schema = {"type": "object", "properties": properties, "required": ["username", "email"]}
    return await elicited(call, call.arguments["message"], schema, "User response")


@tool()
async def test_elicitation_sep1034_defaults(call: Call) -> Json:
    properties = {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    }
    return await elicited(call, "Defaults", {"type": "object", "properties": properties}, "Elicitation completed")


def titled(*words: str) -> list[Json]:
    return [{"const": f"value{n}", "title": f"{word} Option"} for n, word in enumerate(words, start=1)]


@tool()
async def test_elicitation_sep1330_enums(call: Call) -> Json:
    plain = ["option1", "option2", "option3"]
    ordinals = ("First", "Second", "Third")
    properties = {
        "untitledSingle": {"type": "string", "enum": plain},
        "titledSingle": {"type": "string", "oneOf": titled(*ordinals)},
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": plain}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled(*ordinals)}},
    }
    return await elicited(call, "Enums", {"type": "object", "properties": properties}, "Elicitation completed")


@tool()
async def test_reconnection(call: Call) -> Json:
    if call.ctx.close_sse_stream is not None:
        await call.ctx.close_sse_stream()
    await anyio.sleep(2)
    return text("Reconnection test completed")


@tool()
async def test_missing_capability(call: Call) -> Json:
    if "sampling" not in call.abilities:
        raise MCPError(-32021, "This tool needs sampling", {"requiredCapabilities": {"sampling": {}}})
    return text("sampling is there")


@tool()
async def test_streaming_elicitation(call: Call) -> Json:
    if call.answered("user_name"):
        return text(f"Hello, {call.responses['user_name'].get('content', {}).get('name')}!")
    await call.session.report_progress(1, 2, "about to ask")
    return wanted({"user_name": NAME_REQUEST})


@tool()
async def test_trigger_tool_change(call: Call) -> Json:
    EXTRA["tools"] += 1
    await BUS.publish(ToolsListChanged())
    return text("the tools changed")


@tool()
async def test_trigger_prompt_change(call: Call) -> Json:
    EXTRA["prompts"] += 1
    await BUS.publish(PromptsListChanged())
    return text("the prompts changed")


@tool()
async def test_input_required_result_elicitation(call: Call) -> Json:
    content = call.responses.get("user_name", {})
    content = content.get("content") if isinstance(content, dict) else None
    if not isinstance(content, dict) or "name" not in content:
        return wanted({"user_name": NAME_REQUEST})
    return text(f"Hello, {content['name']}!")


@tool()
async def test_input_required_result_sampling(call: Call) -> Json:
    if not call.answered("capital_question"):
        return wanted({"capital_question": sample("What is the capital of France?")})
    return text(json.dumps(call.responses["capital_question"].get("content")))


@tool()
async def test_input_required_result_list_roots(call: Call) -> Json:
    if not call.answered("client_roots"):
        return wanted({"client_roots": ROOTS})
    return text(json.dumps(call.responses["client_roots"].get("roots")))


@tool()
async def test_input_required_result_request_state(call: Call) -> Json:
    if not call.answered("confirm"):
        return wanted({"confirm": CONFIRM}, "first")
    if unsealed(call.state) != "first":
        raise MCPError(-32602, "requestState is missing")
    return text("state-ok")


@tool()
async def test_input_required_result_multiple_inputs(call: Call) -> Json:
    requests = {"user_name": NAME_REQUEST, "greeting": sample("Generate a greeting", 50), "client_roots": ROOTS}
    if not call.answered(*requests) or unsealed(call.state) != "many":
        return wanted(requests, "many")
    return text("everything came")


@tool()
async def test_input_required_result_multi_round(call: Call) -> Json:
    color = {"type": "object", "properties": {"color": {"type": "string"}}, "required": ["color"]}
    state = unsealed(call.state)
    if state == "one" and call.answered("step1"):
        return wanted({"step2": form("Step 2: What is your favorite color?", color)}, "two")
    if state == "two" and call.answered("step2"):
        return text("three rounds are done")
    return wanted({"step1": form("Step 1: What is your name?", NAME_FORM)}, "one")


@tool()
async def test_input_required_result_tampered_state(call: Call) -> Json:
    if call.state is None:
        return wanted({"confirm": CONFIRM}, "guarded")
    unsealed(call.state)
    return text("the state was genuine")


@tool()
async def test_input_required_result_capabilities(call: Call) -> Json:
    requests = {"elicitation": NAME_REQUEST, "sampling": sample("Say something"), "roots": ROOTS}
    able = {key: request for key, request in requests.items() if key in call.abilities}
    return wanted(able) if able and not call.answered(*able) else text("nothing to ask")


SCHEMA_TOOL: Json = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


@tool(SCHEMA_TOOL)
async def json_schema_2020_12_tool(call: Call) -> Json:
    return text(json.dumps(call.arguments))


@tool({"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}})
async def test_header_mirrored(call: Call) -> Json:
    return text(str(call.arguments.get("region")))
