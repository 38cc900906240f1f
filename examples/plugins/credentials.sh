#!/bin/sh
# A credential command in shell (docs/plugins.md): asks the secret store of the person who calls for a key.
#
# In:  {"version":1,"backend":"vault","issuer":"https://…","subject":"ann","groups":["dev"],"claims":{…},"delegation":[]}
# Out: {"headers": {"authorization": "Bearer …"}, "expiresAt": 1785196800}
set -eu

told=$(cat)
# These four stand first, in this order and without blanks, so that no claim and no actor behind them is taken for one of them. Texts with
# escapes are left to tools that read JSON, like `jq -r .subject`.
text='"\([^"\\]*\)"'
part() { printf '%s\n' "$told" | sed -n "1s/^{\"version\":1,\"backend\":$text,\"issuer\":$text,\"subject\":$text,.*/\\$1/p"; }
nobody() { printf '%s\n' "$told" | grep -q '^{"version":1,"backend":"[^"\\]*","issuer":null,"subject":null,'; }

backend=$(part 1) issuer=$(part 2) subject=$(part 3)
if [ -z "$subject" ] && nobody; then
    # A request of the gateway's own: nobody calls. There is nothing to give, and that is no error.
    printf '{"headers": {}}\n'
    exit 0
fi
if [ -z "$backend" ] || [ -z "$issuer" ] || [ -z "$subject" ]; then
    # Anything but 0 is a failure; this line is in the log of vmcp.
    echo 'it does not say who calls, or in characters that only a tool that reads JSON takes apart' >&2
    exit 1
fi

# Put your own command here; this checksum stands for it, and is no secret. A subject is unique at its issuer alone, so both are in the key.
# What is printed to the standard error is in the log of vmcp, less its variables and its answer.
key=$(printf '%s\n' "$backend" "$issuer" "$subject" | cksum | cut -d' ' -f1)

printf '{"headers": {"authorization": "Bearer %s"}, "expiresAt": %s}\n' "$key" "$(($(date +%s) + 900))"
