//! What ToolHive's vMCP has and this version of vmcp does not: said so, instead of called unknown.

/// Keys, by their pattern (`*` for a list index or a free key), with what to do.
const KEYS: &[(&str, &str)] = &[
    ("audit", REMOVE),
    ("codeMode", REMOVE),
    ("compositeToolRefs", REMOVE),
    ("compositeTools", REMOVE),
    ("optimizer", REMOVE),
    ("rateLimiting", REMOVE),
    ("sessionStorage", "remove it; `sessions.keys` lets several replicas share sessions without a store"),
    ("telemetry", REMOVE),
    ("authServerConfig", REMOVE),
    ("incomingAuth.authz", "build vmcp with its Cargo feature `cedar`, or remove it"),
    ("incomingAuth.authz.primaryUpstreamProvider", "remove it; policies see the claims of the token that the caller brings"),
    ("outgoingAuth.default.tokenExchange.subjectProviderName", CALLERS_TOKEN),
    ("outgoingAuth.backends.*.tokenExchange.subjectProviderName", CALLERS_TOKEN),
    ("operational.failureHandling", "remove it; a failing backend never stops the others"),
    ("operational.listChanged", REMOVE),
    ("aggregation.tools.*.toolConfigRef", "write the tool's `filter` and `overrides` here"),
];

/// Words, by the pattern of the key that they stand under, with what to do.
const WORDS: &[(&str, &[&str], &str)] = &[
    ("outgoingAuth.source", &["discovered"], "write the strategies here and remove `source`"),
    ("outgoingAuth.default.type", &["upstream_inject"], UPSTREAM_INJECT),
    ("outgoingAuth.backends.*.type", &["upstream_inject"], UPSTREAM_INJECT),
    ("outgoingAuth.default.type", &["aws_sts"], AWS_STS),
    ("outgoingAuth.backends.*.type", &["aws_sts"], AWS_STS),
    ("outgoingAuth.default.type", &["obo"], OBO),
    ("outgoingAuth.backends.*.type", &["obo"], OBO),
    ("outgoingAuth.default.type", &["xaa"], XAA),
    ("outgoingAuth.backends.*.type", &["xaa"], XAA),
    ("backends.*.type", &["container", "mcp", "remote", "vmcp"], "write `entry` or leave it out; a server has a `url` or a `command`"),
    ("backends.*.type", &["stdio"], "write `transport: stdio`"),
];

const REMOVE: &str = "remove it";
const UPSTREAM_INJECT: &str = "vmcp keeps no users' tokens of other providers: let callers bring theirs with `type: header_passthrough`, \
    or have them fetched with `type: exec` or `type: external`";
const AWS_STS: &str = "put a proxy that signs requests for AWS in front of the server; where a header is enough, `type: exec` or \
    `type: external` fetches it";
const OBO: &str = "use `type: token_exchange` where the authorization server knows RFC 8693; elsewhere `type: exec` or `type: external` can \
    ask it";
const XAA: &str = "use `type: exec` or `type: external`, which can make both exchanges";
const CALLERS_TOKEN: &str = "remove it; what is exchanged is the token that the caller brings";

/// What to do about a key that this version does not have, by its path with `*` for a list index or a free key.
#[must_use]
pub fn unavailable_key(pattern: &str) -> Option<&'static str> {
    let pattern = of_gateway(pattern);
    KEYS.iter().find(|(known, _)| *known == pattern).map(|(_, hint)| *hint)
}

/// What to do about a word that this version does not have under the key with this pattern.
pub(super) fn word(pattern: &str, word: &str) -> Option<&'static str> {
    let pattern = of_gateway(pattern);
    WORDS.iter().find(|(known, words, _)| *known == pattern && words.contains(&word)).map(|(_, _, hint)| *hint)
}

/// The pattern that a key of an endpoint would have at the top level.
fn of_gateway(pattern: &str) -> &str {
    pattern.strip_prefix("endpoints.*.").unwrap_or(pattern)
}
