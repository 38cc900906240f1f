//! What holds for every policy and every request.

use super::support::{Backend, Gateway, backend, name};
use crate::{
    config::{PassthroughEntry, PassthroughHeader},
    header::{HeaderPolicy, normalise},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;

/// Few names, so that lists and requests meet often.
fn plain_name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["x-a", "x-b", "x-c-d", "x-e", "x-request-id", "x-f-g-h"])
}

/// Another way to write a name.
fn spell(name: &str, choices: [bool; 8]) -> String {
    let mut choice = choices.into_iter().cycle();
    let mut pick = move || choice.next() == Some(true);
    let spelt = name.chars().map(|c| match c {
        '-' if pick() => '_',
        '-' if pick() => '.',
        c if pick() => c.to_ascii_uppercase(),
        c => c,
    });
    spelt.collect()
}

fn any_name() -> impl Strategy<Value = String> {
    (plain_name(), any::<[bool; 8]>()).prop_map(|(name, choices)| spell(name, choices))
}

/// Any bytes that a header value may have, marked so that a leak is found.
fn any_value() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(b'\t'), 0x20..0x7f_u8, 0x80..=0xff_u8];
    prop_oneof![
        3 => "MARKER[A-Za-z0-9._~+/-]{0,12}={0,2}".prop_map(String::into_bytes),
        2 => prop::collection::vec(byte, 0..24).prop_map(|tail| [b"MARKER".as_slice(), &tail].concat()),
        1 => Just(Vec::new()),
    ]
}

/// Mostly one spelling for each name; now and then a second one, which is refused.
fn any_request() -> impl Strategy<Value = HeaderMap> {
    let lines = prop::collection::vec((plain_name(), any_value()), 0..10);
    let stray = prop::option::weighted(0.05, (any_name(), any_value()));
    (lines, any::<[bool; 8]>(), stray).prop_map(|(lines, choices, stray)| {
        let mut headers = HeaderMap::new();
        let lines = lines.into_iter().map(|(header, value)| (spell(header, choices), value));
        for (header, value) in lines.chain(stray) {
            headers.append(name(&header), HeaderValue::from_bytes(&value).unwrap());
        }
        headers
    })
}

fn any_list() -> impl Strategy<Value = Vec<PassthroughEntry>> {
    let format = prop::option::weighted(0.2, prop::sample::select(vec!["{}", "Bearer {}", "a{{{}}}"]));
    let outgoing = prop::option::weighted(0.4, "x-out-[a-f]".boxed());
    let entry = (any_name(), outgoing, format, any::<bool>(), any::<Option<bool>>());
    let entry = entry.prop_map(|(name, rename, format, required, credential)| {
        let format = format.map(str::to_owned);
        PassthroughEntry::Full(PassthroughHeader { rename, format, required, credential, ..PassthroughHeader::named(name) })
    });
    prop::collection::vec(entry, 0..5)
}

fn any_backend() -> impl Strategy<Value = Backend> {
    (any_list(), any::<bool>(), prop::option::of("MARKER[a-z]{0,8}")).prop_map(|(list, inherit, value)| {
        let statics = value.map(|value| ("x-static".to_owned(), Some(value))).into_iter().collect();
        Backend { list, inherit, statics, ..backend("b", json!([])) }
    })
}

/// Gateways whose configuration is accepted.
fn any_gateway() -> impl Strategy<Value = Gateway> {
    let gateway = (any_list(), prop::collection::vec(any_backend(), 1..4));
    let gateway = gateway.prop_map(|(global, backends)| Gateway { global, backends, ..Gateway::default() });
    gateway.prop_filter("accepted", |gateway| gateway.compile().is_ok())
}

fn applied(policy: &HeaderPolicy, index: usize, request: &HeaderMap) -> HeaderMap {
    let mut out = HeaderMap::new();
    policy.backend(index).apply(&policy.capture(request).unwrap(), &mut out);
    out
}

/// The same decision, written as plainly as possible: for each outgoing name its values.
fn expected(gateway: &Gateway, index: usize, request: &HeaderMap) -> BTreeMap<String, Vec<Vec<u8>>> {
    let key = |text: &str| normalise(&name(text));
    let backend = &gateway.backends[index];
    let own: Vec<PassthroughHeader> = backend.list.iter().map(PassthroughEntry::to_full).collect();
    let mut entries = own.clone();
    for entry in gateway.global.iter().map(PassthroughEntry::to_full) {
        if backend.inherit && !own.iter().any(|own| key(&own.name) == key(&entry.name)) {
            entries.push(entry);
        }
    }
    let mut out: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for (header, value) in &backend.statics {
        out.entry(header.to_lowercase()).or_default().extend(value.clone().map(String::into_bytes));
    }
    for entry in entries {
        for (_, value) in request.iter().filter(|(header, _)| normalise(header) == key(&entry.name)) {
            if entry.format.is_some() && value.is_empty() {
                continue;
            }
            let rendered = match entry.format.as_deref() {
                Some("Bearer {}") => [b"Bearer ", value.as_bytes()].concat(),
                Some("a{{{}}}") => [b"a{", value.as_bytes(), b"}"].concat(),
                _ => value.as_bytes().to_vec(),
            };
            let outgoing = entry.rename.as_ref().unwrap_or(&entry.name).to_lowercase();
            out.entry(outgoing).or_default().push(rendered);
        }
    }
    out
}

fn grouped(headers: &HeaderMap) -> BTreeMap<String, Vec<Vec<u8>>> {
    let values = |name: &HeaderName| headers.get_all(name).iter().map(|value| value.as_bytes().to_vec()).collect();
    headers.keys().map(|name| (name.to_string(), values(name))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, max_global_rejects: 200_000, max_local_rejects: 200_000, ..ProptestConfig::default() })]

    #[test]
    fn a_backend_is_sent_what_it_lists_byte_for_byte_and_nothing_else(gateway in any_gateway(), request in any_request()) {
        let policy = gateway.policy();
        if let Ok(forwarded) = policy.capture(&request) {
            for index in 0..gateway.backends.len() {
                let mut out = HeaderMap::new();
                policy.backend(index).apply(&forwarded, &mut out);
                prop_assert_eq!(grouped(&out), expected(&gateway, index, &request));
            }
        }
    }

    #[test]
    fn what_one_backend_is_sent_does_not_depend_on_another(gateway in any_gateway(), request in any_request(), other in any_backend()) {
        let mut alone = gateway.clone();
        alone.backends.truncate(1);
        let mut together = gateway;
        together.backends.push(other);
        if let (Ok(alone), Ok(together)) = (alone.compile(), together.compile()) && together.capture(&request).is_ok() {
            prop_assert_eq!(applied(&alone, 0, &request), applied(&together, 0, &request));
        }
    }

    #[test]
    fn headers_that_nobody_lists_change_nothing(gateway in any_gateway(), request in any_request(), more in "y-[a-z_.-]{1,8}", value in any_value()) {
        let policy = gateway.policy();
        let mut noisy = request.clone();
        noisy.append(name(&more), HeaderValue::from_bytes(&value).unwrap());
        match policy.capture(&request) {
            Ok(_) => for index in 0..gateway.backends.len() {
                prop_assert_eq!(applied(&policy, index, &request), applied(&policy, index, &noisy));
            },
            Err(error) => prop_assert_eq!(policy.capture(&noisy).unwrap_err(), error),
        }
    }

    #[test]
    fn equal_credential_material_means_equal_credential_headers(gateway in any_gateway(), one in any_request(), two in any_request()) {
        let policy = gateway.policy();
        if let (Ok(first), Ok(second)) = (policy.capture(&one), policy.capture(&two)) {
            for backend in policy.backends() {
                let same = backend.credential_material(&first).eq(backend.credential_material(&second));
                let sent = |forwarded| {
                    let mut out = HeaderMap::new();
                    backend.apply(forwarded, &mut out);
                    for row in backend.outgoing().filter(|row| row.inbound.is_some() && !row.credential) {
                        out.remove(row.outbound.header().unwrap());
                    }
                    grouped(&out)
                };
                prop_assert_eq!(same, sent(&first) == sent(&second));
            }
        }
    }

    #[test]
    fn no_text_of_any_type_holds_a_value(gateway in any_gateway(), request in any_request()) {
        let policy = gateway.policy();
        let mut text = format!("{policy:?} {policy:#?} {:?}", policy.warnings());
        match policy.capture(&request) {
            Ok(forwarded) => {
                let mut out = HeaderMap::new();
                policy.backend(0).apply(&forwarded, &mut out);
                text += &format!("{forwarded:?} {forwarded:#?} {out:?} {:?}", policy.backend(0).credential_material(&forwarded).collect::<Vec<_>>());
            }
            Err(error) => text += &format!("{error} {error:?}"),
        }
        prop_assert!(!text.contains("MARKER"), "{}", text);
    }

    #[test]
    fn nothing_that_a_configuration_says_makes_compiling_panic(
        global in prop::collection::vec(any::<(String, Option<String>, Option<String>)>(), 0..4),
        statics in prop::collection::vec(any::<(String, Option<String>)>(), 0..4),
    ) {
        let entry = |(name, rename, format)| PassthroughEntry::Full(PassthroughHeader { rename, format, ..PassthroughHeader::named(name) });
        let mut gateway = Gateway { global: global.into_iter().map(entry).collect(), ..Gateway::with_list(json!([])) };
        gateway.backends[0].statics = statics;
        for problem in gateway.problems() {
            prop_assert!(!problem.contains(['\r', '\n']), "{}", problem);
        }
    }
}
