#!/bin/sh
# A credential command in shell (docs/plugins.md): asks the secret store of the person who calls for a key.
#
# In:  {"version": 1, "backend": "vault", "issuer": "https://…", "subject": "ann", "groups": ["dev"], "claims": {…}, "delegation": []}
# Out: {"headers": {"authorization": "Bearer …"}, "expiresAt": 1785196800}
set -eu

told=$(cat)
# One member that is a text. A tool that reads JSON, like `jq -r .subject`, does this better.
member() { printf '%s' "$told" | sed -n "s/.*\"$1\":\"\\([^\"\\\\]*\\)\".*/\\1/p"; }

subject=$(member subject)
if [ -z "$subject" ]; then
    # A request of the gateway's own: nobody calls. There is nothing to give, and that is no error.
    printf '{"headers": {}}\n'
    exit 0
fi

# Put your own command here. What it prints to the standard error is in the log of vmcp, less its variables and its answer.
key=$(printf '%s/%s' "$(member backend)" "$subject" | cksum | cut -d' ' -f1)

printf '{"headers": {"authorization": "Bearer %s"}, "expiresAt": %s}\n' "$key" "$(($(date +%s) + 900))"
