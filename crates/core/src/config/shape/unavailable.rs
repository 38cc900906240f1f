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
    ("incomingAuth.authz", REMOVE),
    ("incomingAuth.local", ANONYMOUS),
    ("incomingAuth.oidc", ANONYMOUS),
    ("operational.failureHandling", "remove it; a failing backend never stops the others"),
    ("operational.listChanged", REMOVE),
    ("aggregation.tools.*.toolConfigRef", "write the tool's `filter` and `overrides` here"),
];

/// Words, by the pattern of the key that they stand under, with what to do.
const WORDS: &[(&str, &[&str], &str)] = &[
    ("incomingAuth.type", &["oidc", "local"], ANONYMOUS),
    ("outgoingAuth.source", &["discovered"], "write the strategies here and remove `source`"),
    ("outgoingAuth.default.type", STRATEGIES, STRATEGY),
    ("outgoingAuth.backends.*.type", STRATEGIES, STRATEGY),
    ("backends.*.type", &["container", "mcp", "remote", "vmcp"], "write `entry` or leave it out; a server has a `url` or a `command`"),
    ("backends.*.type", &["stdio"], "write `transport: stdio`"),
];

const STRATEGIES: &[&str] = &["token_exchange", "upstream_inject", "aws_sts", "obo", "xaa"];

const REMOVE: &str = "remove it";
const ANONYMOUS: &str = "use `type: anonymous`, behind something that authenticates";
const STRATEGY: &str = "use `header_injection`, or let callers bring their credential with `passthroughHeaders`";

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
