"""A FastMCP server for the interop tests. Usage: server.py PORT, or fastmcp run server.py"""

import sys

from fastmcp import FastMCP
from fastmcp.server.dependencies import get_http_headers

mcp = FastMCP("interop")


@mcp.tool
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@mcp.tool
def headers() -> dict[str, str]:
    """The headers of this request."""
    return get_http_headers(include_all=True)


@mcp.tool
def explode() -> str:
    """Always fails."""
    raise ValueError("exploded as asked")


@mcp.resource("interop://motd")
def motd() -> str:
    """The message of the day."""
    return "All is well."


@mcp.resource("interop://square/{number}")
def square(number: int) -> str:
    """A number's square."""
    return str(number * number)


@mcp.prompt
def greet(name: str) -> str:
    """Greets somebody."""
    return f"Say hello to {name}."


if __name__ == "__main__":
    mcp.run(transport="http", host="127.0.0.1", port=int(sys.argv[1]), show_banner=False, log_level="error")
