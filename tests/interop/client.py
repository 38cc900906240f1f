"""Asks a gateway for everything that the interop test expects, with the Python SDK.

Usage: client.py MODE http URL, client.py MODE sse URL, or client.py MODE stdio COMMAND ARGUMENT…

MODE is `legacy`, `auto` or a revision. Prints one JSON object.
"""

import asyncio
import json
import sys

import httpx2
from mcp import StdioServerParameters
from mcp.client import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client


def text(result) -> str:
    return "".join(block.text for block in result.content if block.type == "text")


HEADERS = {"x-interop": "from-python", "x-unlisted": "never"}


def reach(carrier: str, target: list[str], http: httpx2.AsyncClient):
    if carrier == "sse":
        return sse_client(target[0], headers=HEADERS)
    if carrier == "stdio":
        return stdio_client(StdioServerParameters(command=target[0], args=target[1:]))
    return streamable_http_client(target[0], http_client=http)


async def main(mode: str, carrier: str, *target: str) -> None:
    progress = []

    async def on_progress(done, total, message):
        progress.append(done)

    async with httpx2.AsyncClient(headers=HEADERS, timeout=30) as http:
        async with Client(reach(carrier, list(target), http), mode=mode) as client:
            tools = await client.list_tools()
            resources = await client.list_resources()
            templates = await client.list_resource_templates()
            prompts = await client.list_prompts()
            long = await client.call_tool(
                "everything_trigger-long-running-operation", {"duration": 0.2, "steps": 2}, progress_callback=on_progress
            )
            motd = await client.read_resource("interop://motd")
            square = await client.read_resource("interop://square/12")
            greeting = await client.get_prompt("fast_greet", {"name": "Ann"})
            failure = await client.call_tool("fast_explode", {})
            report = {
                "protocol": client.protocol_version,
                "tools": [tool.name for tool in tools.tools],
                "resources": [str(resource.uri) for resource in resources.resources],
                "templates": [template.uri_template for template in templates.resource_templates],
                "prompts": [prompt.name for prompt in prompts.prompts],
                "echo": text(await client.call_tool("everything_echo", {"message": "hi"})),
                "add": text(await client.call_tool("fast_add", {"a": 2, "b": 3})),
                "headers": text(await client.call_tool("fast_headers", {})),
                "motd": motd.contents[0].text,
                "square": square.contents[0].text,
                "greeting": greeting.messages[0].content.text,
                "failure": [bool(failure.is_error), text(failure)],
                "long": text(long),
                "progress": progress,
            }
    print(json.dumps(report))


asyncio.run(main(*sys.argv[1:]))
