//! The suite's scenarios by name. A test compares them with what the suite itself lists.

/// What both revisions require of a server.
pub(super) const BOTH: [&str; 20] = [
    "completion-complete",
    "dns-rebinding-protection",
    "prompts-get-embedded-resource",
    "prompts-get-simple",
    "prompts-get-with-args",
    "prompts-get-with-image",
    "prompts-list",
    "resources-list",
    "resources-read-binary",
    "resources-read-text",
    "resources-templates-read",
    "server-sse-multiple-streams",
    "tools-call-audio",
    "tools-call-embedded-resource",
    "tools-call-error",
    "tools-call-image",
    "tools-call-mixed-content",
    "tools-call-simple-text",
    "tools-call-with-progress",
    "tools-list",
];

/// What only 2025-11-25 requires.
pub(super) const ONLY_LEGACY: [&str; 10] = [
    "elicitation-sep1034-defaults",
    "elicitation-sep1330-enums",
    "logging-set-level",
    "ping",
    "resources-subscribe",
    "resources-unsubscribe",
    "server-initialize",
    "tools-call-elicitation",
    "tools-call-sampling",
    "tools-call-with-logging",
];

/// What only 2026-07-28 requires.
pub(super) const ONLY_MODERN: [&str; 17] = [
    "caching",
    "input-required-result-basic-elicitation",
    "input-required-result-basic-list-roots",
    "input-required-result-basic-sampling",
    "input-required-result-capability-check",
    "input-required-result-ignore-extra-params",
    "input-required-result-missing-input-response",
    "input-required-result-multi-round",
    "input-required-result-multiple-input-requests",
    "input-required-result-non-tool-request",
    "input-required-result-request-state",
    "input-required-result-result-type",
    "input-required-result-tampered-state",
    "input-required-result-unsupported-methods",
    "input-required-result-validate-input",
    "sep-2164-resource-not-found",
    "server-stateless",
];

/// What the suite runs for 2025-11-25 without requiring it.
pub(super) const MORE_LEGACY: [&str; 3] = ["json-schema-2020-12", "server-session-lifecycle", "server-sse-polling"];

/// What the suite runs for 2026-07-28 without requiring it. (`tasks-status-notifications` judges nothing so far.)
pub(super) const MORE_MODERN: [&str; 13] = [
    "http-custom-header-server-validation",
    "http-header-validation",
    "json-schema-2020-12",
    "tasks-capability-negotiation",
    "tasks-dispatch-and-envelope",
    "tasks-lifecycle",
    "tasks-mrtr-composition",
    "tasks-mrtr-input",
    "tasks-request-headers",
    "tasks-request-state-removal",
    "tasks-required-task-error",
    "tasks-status-notifications",
    "tasks-wire-fields",
];

/// What nobody can translate from a legacy backend, each with its reason.
pub(super) const UNTRANSLATABLE: [(&str, &str); 12] = [
    ("input-required-result-basic-elicitation", "the scenario wants the backend's own key of a question, and a legacy request has none"),
    ("input-required-result-ignore-extra-params", "the scenario answers a question before it was asked"),
    ("tasks-capability-negotiation", NO_TASKS),
    ("tasks-dispatch-and-envelope", NO_TASKS),
    ("tasks-lifecycle", NO_TASKS),
    ("tasks-mrtr-composition", NO_TASKS),
    ("tasks-mrtr-input", NO_TASKS),
    ("tasks-request-headers", NO_TASKS),
    ("tasks-request-state-removal", NO_TASKS),
    ("tasks-required-task-error", NO_TASKS),
    ("tasks-status-notifications", NO_TASKS),
    ("tasks-wire-fields", NO_TASKS),
];

const NO_TASKS: &str = "the tasks extension is for 2026-07-28; the tasks of 2025-11-25 are something else";

/// What 2025-11-25 requires of a client, but for logins of people.
pub(super) const CLIENT_LEGACY: [&str; 4] = ["elicitation-sep1034-client-defaults", "initialize", "sse-retry", "tools_call"];

/// What 2026-07-28 requires of a client, but for logins of people.
pub(super) const CLIENT_MODERN: [&str; 7] = [
    "http-custom-headers",
    "http-invalid-tool-headers",
    "http-standard-headers",
    "json-schema-ref-no-deref",
    "request-metadata",
    "sep-2322-client-request-state",
    "tools_call",
];

/// What the suite runs with a client without requiring it, but for logins of people and for extensions that vmcp does not carry.
pub(super) const CLIENT_MORE: [&str; 3] =
    ["auth/client-credentials-basic", "auth/client-credentials-jwt", "json-schema-2020-12-preservation"];
