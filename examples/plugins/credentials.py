#!/usr/bin/env python3
"""A credential command in Python (docs/plugins.md).

Says who calls in a token that the backend can check: claims in JSON, and a signature over them with a secret that the two share.
The secret is in the variable MCP_SHARED_SECRET, which the settings pass on (`env` or `envPassthrough`).
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time

LIFE = 300  # seconds


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(told: dict, secret: bytes, expires_at: int) -> str:
    # A subject is unique at its issuer alone, and `iss` would be whoever made this token: RFC 9493 has a claim for the two together.
    who = {"format": "iss_sub", "iss": told["issuer"], "sub": told["subject"]}
    claims = {"sub_id": who, "groups": told["groups"], "aud": told["backend"], "exp": expires_at}
    head = encoded(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    message = f"{head}.{encoded(json.dumps(claims).encode())}"
    return f"{message}.{encoded(hmac.digest(secret, message.encode(), hashlib.sha256))}"


def main() -> None:
    told = json.load(sys.stdin)
    if told["subject"] is None:
        # A request of the gateway's own: nobody calls. There is nothing to give, and that is no error.
        json.dump({"headers": {}}, sys.stdout)
        return
    secret = os.environ.get("MCP_SHARED_SECRET", "")
    if not secret:
        # Anything but 0 is a failure; this line is in the log of vmcp.
        sys.exit("MCP_SHARED_SECRET is not set")
    expires_at = int(time.time()) + LIFE
    json.dump({"headers": {"authorization": "Bearer " + token(told, secret.encode(), expires_at)}, "expiresAt": expires_at}, sys.stdout)


if __name__ == "__main__":
    main()
