//! What is read of a configuration that does not fit.

use super::{complaints, shape, visible};
use crate::config::{Config, ConflictResolution, PassthroughEntry, Span};
use serde_json::{Value, json};

/// What is read beside what does not fit: the configuration, where something else stands than was written, and what was misspelt.
fn beside(value: Value) -> (Config, Vec<String>, Vec<(String, String)>) {
    let reading = shape().read_what_fits(value, &visible, &visible);
    assert!(!reading.problems.is_empty());
    (reading.config.unwrap(), reading.replaced, reading.misspelt)
}

#[test]
fn what_fits_is_read_beside_what_does_not() {
    let (config, replaced, misspelt) = beside(json!({
        "lisen": "0.0.0.0:1",
        "banana": 1,
        "backends": [
            {"name": 7, "url": "http://a/", "allow_plaintext": "yes", "http2": "no", "maxConcurrent": "many"},
            "github",
            {"name": "c", "timout": "5s", "passthrough_headers": ["x-a", {"nam": "x-b", "required": 1}, 5]},
        ],
        "aggregation": {"conflictResolution": "prioritty"},
        "sessions": {"max": -1, "maxPerPeer": 5, "keys": [{}]},
        "outgoingAuth": {"backends": {"c": {"type": "header_injection", "headerInjection": {"headerName": "x"}}, "d": 5}},
    }));
    assert_eq!(config.listen.address.unwrap().port(), 1);
    assert_eq!((config.backends.len(), config.backends[2].name.as_str()), (3, "c"));
    assert_eq!(config.backends[0].url.as_ref().unwrap().as_str(), "http://a/");
    assert!(config.backends[0].allow_plaintext && !config.backends[0].http2);
    assert_eq!(config.backends[2].timeout, Some(Span::seconds(5)));
    let entries: Vec<_> = config.backends[2].passthrough_headers.iter().map(PassthroughEntry::to_full).collect();
    assert_eq!((entries.len(), entries[0].name.as_str(), entries[1].name.as_str(), entries[1].required), (3, "x-a", "x-b", true));
    assert_eq!(config.aggregation.conflict_resolution, ConflictResolution::Priority);
    assert_eq!((config.sessions.max, config.sessions.max_per_peer, config.sessions.keys.len()), (100_000, 5, 1));
    assert_eq!(
        replaced,
        [
            "backends[0].name",
            "backends[0].allowPlaintext",
            "backends[0].http2",
            "backends[0].maxConcurrent",
            "backends[1]",
            "backends[2].passthroughHeaders[1].required",
            "backends[2].passthroughHeaders[2]",
            "aggregation.conflictResolution",
            "sessions.max",
            "sessions.keys[0]",
            "outgoingAuth.backends.c.headerInjection",
            "outgoingAuth.backends.d",
        ]
    );
    let misspelt: Vec<_> = misspelt.iter().map(|(own, written)| (own.as_str(), written.as_str())).collect();
    assert_eq!(
        misspelt,
        [
            ("listen", "lisen"),
            ("backends[0].allowPlaintext", "backends[0].allow_plaintext"),
            ("backends[2].timeout", "backends[2].timout"),
            ("backends[2].passthroughHeaders[1].name", "backends[2].passthroughHeaders[1].nam"),
            ("backends[2].passthroughHeaders", "backends[2].passthrough_headers"),
        ]
    );
}

#[test]
fn what_stands_under_a_misspelt_key_is_looked_into() {
    assert_eq!(
        complaints(
            json!({"backend": [{"name": "a", "url": 5, "trasport": "http"}], "passthrough_headers": {}, "aggregatoin": {"lint": "off"}})
        ),
        [
            "backend: unknown key; did you mean `backends`?",
            "backend[0].url: expected text, found a number; put it in quotes",
            "backend[0].trasport: unknown key; did you mean `transport`?",
            // A map is no list of headers: whatever was meant, its content says nothing.
            "passthrough_headers: unknown key; did you mean `passthroughHeaders`?",
            "aggregatoin: unknown key; did you mean `aggregation`?",
            "aggregatoin.lint: `off` is not one of `warn`, `quarantine`",
        ]
    );
}
