"""Logs in at a gateway the way the Python SDK does, as often as it is told to, and calls one tool; once more with a token that is over.

Usage: login.py URL REDIRECT [CLIENT-METADATA-URL]. Prints one JSON object.
"""

import asyncio
import json
import sys
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp.client import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata


class Storage:
    tokens = None
    client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


async def main(url: str, redirect: str, document: str | None = None) -> None:
    asked = []

    async def go(to: str) -> None:
        asked.append(to)

    async def come_back() -> AuthorizationCodeResult:
        to = asked[-1]
        async with httpx2.AsyncClient() as browser:
            while not to.startswith(redirect):
                answer = await browser.get(to)
                assert answer.is_redirect, f"{to} answered with {answer.status_code}: {answer.text}"
                to = answer.headers["location"]
        back = {name: values[0] for name, values in parse_qs(urlsplit(to).query).items()}
        return AuthorizationCodeResult(code=back["code"], state=back.get("state"), iss=back.get("iss"))

    metadata = OAuthClientMetadata(client_name="interop", redirect_uris=[redirect], token_endpoint_auth_method="none")
    storage = Storage()
    auth = OAuthClientProvider(url, metadata, storage, go, come_back, client_metadata_url=document)
    async with httpx2.AsyncClient(auth=auth, timeout=30) as http:
        async with Client(streamable_http_client(url, http_client=http)) as client:
            tools = (await client.list_tools()).tools
            echo = next(tool.name for tool in tools if tool.name.endswith("echo"))
            result = await client.call_tool(echo, {"text": "hi"})
            auth.context.current_tokens.access_token = "no.longer.good"
            auth.context.token_expiry_time = 1
            again = await client.call_tool(echo, {"text": "hi"})
    failed = result.is_error or again.is_error
    print(json.dumps({"client": storage.client.client_id, "asked": asked[-1], "logins": len(asked), "failed": failed}))


asyncio.run(main(*sys.argv[1:]))
