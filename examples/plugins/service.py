#!/usr/bin/env python3
"""A credential service in Python (docs/plugins.md), for `type: external`.

    service.py 9000               at http://127.0.0.1:9000/
    service.py /run/creds.sock    at a Unix socket

Gives everybody a key of their own, for a quarter of an hour, and nothing to whom its issuer calls "mallory".
"""

import hashlib
import http.server
import json
import os
import secrets
import socketserver
import sys
import time

LIFE = 900  # seconds
SALT = secrets.token_bytes(16)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if told["subject"] == "mallory":
            return self.answer(403, {})
        if told["subject"] is None:
            # A request of the gateway's own: nobody calls.
            return self.answer(200, {"headers": {}})
        # A subject is unique at its issuer alone.
        key = hashlib.sha256(SALT + json.dumps([told["backend"], told["issuer"], told["subject"]]).encode()).hexdigest()
        self.answer(200, {"headers": {"authorization": f"Bearer {key}"}, "expiresAt": int(time.time()) + LIFE})

    def answer(self, status: int, body: dict) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def address_string(self) -> str:
        # A peer at a Unix socket has no address.
        return str(self.client_address[0]) if self.client_address else "socket"

    def log_message(self, *_: object) -> None:
        pass


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def main() -> None:
    where = sys.argv[1] if len(sys.argv) > 1 else "9000"
    if where.isdigit():
        server = http.server.ThreadingHTTPServer(("127.0.0.1", int(where)), Handler)
        print(f"http://127.0.0.1:{server.server_address[1]}/", flush=True)
    else:
        if os.path.exists(where):
            os.unlink(where)
        # Whoever can open the socket can ask for anybody's credentials.
        os.umask(0o177)
        server = UnixServer(where, Handler)
        print(where, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
