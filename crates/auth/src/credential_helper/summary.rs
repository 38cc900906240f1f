//! What a helper is told of a caller.

use super::Helper;
use serde::Serialize;
use serde_json::{Map, Value};
use vmcp_core::plugin::{StrategyContext, TokenKind};
use zeroize::Zeroizing;

/// The version of this form. It changes when something is taken away or means something else; keys are added without.
const VERSION: u32 = 1;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    version: u32,
    backend: &'a str,
    issuer: Option<&'a str>,
    subject: Option<&'a str>,
    groups: Vec<&'a str>,
    claims: Map<String, Value>,
    delegation: Vec<Actor<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_token_kind: Option<&'static str>,
}

#[derive(Serialize)]
struct Actor<'a> {
    issuer: &'a str,
    subject: &'a str,
}

pub(super) fn write(helper: &Helper, context: &StrategyContext<'_>) -> Zeroizing<Vec<u8>> {
    let caller = context.principal.filter(|_| !helper.shared);
    let mut summary = Summary {
        version: VERSION,
        backend: context.backend,
        issuer: caller.map(|caller| &*caller.issuer),
        subject: caller.map(|caller| &*caller.subject),
        groups: Vec::new(),
        claims: Map::new(),
        delegation: Vec::new(),
        subject_token: None,
        subject_token_kind: None,
    };
    if caller.is_some() {
        summary.groups = context.groups.iter().map(|group| &**group).collect();
        let listed = helper.claims.iter().filter_map(|name| Some((name.clone(), context.claims.get(name)?.clone())));
        summary.claims = listed.collect();
        summary.delegation = context.delegation.iter().map(|actor| Actor { issuer: &actor.issuer, subject: &actor.subject }).collect();
        if let Some(token) = context.subject_token.filter(|_| helper.send_token) {
            summary.subject_token = Some(token.expose());
            summary.subject_token_kind = Some(if token.kind() == TokenKind::Jwt { "jwt" } else { "opaque" });
        }
    }
    // Room for all of it, so that no part of a token is left behind where the text grew.
    let mut text = Zeroizing::new(Vec::with_capacity(32 * 1024));
    // Writing plain data into memory does not fail.
    let _ = serde_json::to_writer(&mut *text, &summary);
    text
}
