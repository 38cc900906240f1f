"""A server over standard input and output with tools that tell of its process.

Its first argument is what it speaks: `legacy`, `modern`, `mute` (modern, and it says nothing to what it does not know), `silent`
(legacy, and it says nothing to what it does not know), `noisy` (legacy, and it writes to both outputs what belongs to neither), `stubborn` (legacy, and it ends only when it is killed), `oldest` (legacy, of the one revision that has batches), `falling` (it
ends at once), or `fragile` (legacy, and it ends at what it does not know).
"""

import json
import os
import signal
import subprocess
import sys
import threading

KIND = "modern" if sys.argv[1] == "mute" else sys.argv[1]
IS_SILENT = sys.argv[1] in ("mute", "silent")
MODERN = "2026-07-28"
lock = threading.Lock()
count = 0
cancelled = []
refused = 0
initialized = 0
child = None

listeners = []
asking = None
hanging = []

TOOLS = ["facts", "crash", "hang", "echo", "big", "change", "ask", "batch"]


def say(message):
    with lock:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def lists():
    return [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]


def result(id, members):
    if KIND == "modern":
        members = {"resultType": "complete", **members}
    say({"jsonrpc": "2.0", "id": id, "result": members})


def caching():
    return {"ttlMs": 0, "cacheScope": "public"} if KIND == "modern" else {}


def release():
    """Answers what hangs and was not cancelled, with `steps` of progress before, the calls taking turns."""
    waiting = [call for call in hanging if call[0] not in cancelled]
    hanging.clear()
    for step in range(max((arguments.get("steps", 0) for _, _, arguments in waiting), default=0)):
        for _, token, arguments in waiting:
            if step < arguments.get("steps", 0):
                params = {"progressToken": token, "progress": step + 1, "message": arguments["whose"]}
                say({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
    for id, _, arguments in waiting:
        result(id, {"content": [], "structuredContent": arguments})


def call(id, params):
    global count, asking
    count += 1
    name, arguments = params["name"], params.get("arguments", {})
    if name == "crash":
        os._exit(7)
    if name == "hang":
        hanging.append((id, params.get("_meta", {}).get("progressToken"), arguments))
        return
    if name == "change":
        TOOLS.append("fresh")
        change = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
        if KIND != "modern":
            say(change)
        for listener in listeners:
            say({**change, "params": {"_meta": {"io.modelcontextprotocol/subscriptionId": listener}}})
    if name == "ask":
        asking = id
        return say({"jsonrpc": "2.0", "id": "question", "method": "roots/list"})
    if name == "batch":
        TOOLS.append("fresh")
        change = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
        question = {"jsonrpc": "2.0", "id": "in a batch", "method": "roots/list"}
        return say([question, change, {"jsonrpc": "2.0", "id": id, "result": {"content": [], "isError": False}}])
    if name == "big":
        token = params.get("_meta", {}).get("progressToken")
        for step in range(arguments.get("steps", 0)):
            say({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token, "progress": step}})
        return result(id, {"content": [{"type": "text", "text": "x" * arguments["bytes"]}]})
    if arguments.get("release"):
        release()
    facts = {
        "pid": os.getpid(),
        "child": child.pid if child else None,
        "count": count,
        "token": os.environ.get("TOKEN"),
        "given": os.environ.get("GIVEN"),
        "gateway": os.environ.get("GATEWAY_SECRET"),
        "cancelled": cancelled,
        "refused": refused,
        "initialized": initialized,
        "listeners": len(listeners),
        "hanging": len(hanging),
        "arguments": arguments,
    }
    result(id, {"content": [], "structuredContent": facts})


def answer(request):
    global initialized, refused
    id, method, params = request.get("id"), request.get("method"), request.get("params") or {}
    if method == "notifications/cancelled":
        cancelled.append(params.get("requestId"))
    elif method == "notifications/initialized":
        initialized += 1
    elif id == "question" and method is None:
        result(asking, {"content": [], "structuredContent": request.get("result") or {"error": request["error"]["code"]}})
    elif id == "in a batch" and "error" in request:
        refused += 1
    elif id is None or method is None:
        pass
    elif method == "subscriptions/listen" and KIND == "modern":
        listeners.append(id)
        meta = {"io.modelcontextprotocol/subscriptionId": id}
        params = {"notifications": {"toolsListChanged": True}, "_meta": meta}
        say({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": params})
    elif method == "server/discover" and KIND == "modern":
        result(id, {"supportedVersions": [MODERN], "capabilities": {"tools": {"listChanged": True}}, **caching()})
    elif method == "initialize" and KIND != "modern":
        if initialized:
            say({"jsonrpc": "2.0", "id": id, "error": {"code": -32600, "message": "initialized already"}})
        else:
            info = {"name": "stdio", "version": "1"}
            result(id, {"protocolVersion": "2025-03-26" if KIND == "oldest" else "2025-11-25", "capabilities": {"tools": {"listChanged": True}}, "serverInfo": info})
    elif method == "tools/list":
        result(id, {"tools": lists(), **caching()})
    elif method == "tools/call":
        call(id, params)
    elif method == "ping":
        result(id, {})
    elif KIND == "fragile":
        os._exit(1)
    elif not IS_SILENT:
        say({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "no such method"}})


if KIND == "falling":
    sys.exit(3)
if KIND == "noisy":
    print("Server started, listening", flush=True)
    print("the token is " + os.environ.get("TOKEN", "none"), file=sys.stderr, flush=True)
if KIND == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sh", "-c", "trap '' TERM; while :; do sleep 1; done"])
for line in sys.stdin:
    answer(json.loads(line))
while KIND == "stubborn":
    signal.pause()
