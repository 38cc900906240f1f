//! A gateway whose callers have tokens of a provider's, which it exchanges for each backend.

#![allow(dead_code, reason = "each test takes what it needs")]

use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json, value::to_raw_value};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use vmcp_auth::Identity;
use vmcp_core::{
    config::Config,
    plugin::{Authenticated, Principal, SubjectToken, TokenKind},
};
use vmcp_server::Gateway;
use vmcp_tests::{
    fixture::{Fixture, Recorded},
    idp::Idp,
};

/// The claims of a token that a backend was sent.
pub(crate) struct Claims {
    pub(crate) subject: String,
    pub(crate) audience: String,
    pub(crate) id: String,
    expires: u64,
}

impl Claims {
    /// Those of a request; `None` when it has no token.
    pub(crate) fn of(request: &Recorded) -> Result<Option<Self>> {
        let Some(token) = request.value("authorization") else { return Ok(None) };
        let payload = token.strip_prefix("Bearer ").and_then(|token| token.split('.').nth(1)).context("no JWT")?;
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?;
        let text = |name: &str| claims[name].as_str().map(str::to_owned).with_context(|| format!("no {name}"));
        let expires = claims["exp"].as_u64().context("no exp")?;
        Ok(Some(Self { subject: text("sub")?, audience: text("aud")?, id: text("jti")?, expires }))
    }

    /// Whether its time is over.
    pub(crate) fn is_over(&self) -> bool {
        SystemTime::now().duration_since(UNIX_EPOCH).is_ok_and(|now| now > Duration::from_secs(self.expires + 1))
    }
}

/// A caller with a token of the provider's.
pub(crate) fn user(idp: &Idp, name: &str) -> Result<Identity> {
    let mut who = Authenticated::new(Principal { issuer: idp.issuer().into(), subject: name.into() });
    who.subject_token = Some(SubjectToken::new(idp.token_of(name)?.into(), TokenKind::Jwt));
    who.expires_at = Some(SystemTime::now() + Duration::from_secs(3600));
    Ok(Identity::new(who))
}

/// `token_exchange` for an audience.
pub(crate) fn strategy(idp: &Idp, audience: &str) -> Value {
    json!({ "type": "token_exchange", "tokenExchange": {
        "tokenUrl": idp.url("/token"), "clientId": "vmcp", "clientSecret": "vmcp-secret", "audience": audience,
    } })
}

/// `client_credentials` for an audience.
pub(crate) fn service(idp: &Idp, audience: &str) -> Value {
    json!({ "type": "client_credentials", "clientCredentials": {
        "issuer": idp.issuer(), "clientId": "vmcp", "clientSecret": "vmcp-secret", "audience": audience,
    } })
}

/// Callers come with tokens of these providers'.
pub(crate) fn callers_of(idps: &[&Idp]) -> Value {
    let issuer = |idp: &&Idp| idp.settings(json!({ "leeway": "2s" }));
    let mut oidc = idps.first().map(issuer).unwrap_or_default();
    oidc["issuers"] = idps.iter().skip(1).map(issuer).collect();
    json!({ "type": "oidc", "oidc": oidc })
}

/// A configuration in which every backend exchanges tokens for its own name, but for those with another strategy.
pub(crate) fn config(idp: &Idp, backends: &[&Fixture], others: &Value) -> Result<Config> {
    Ok(serde_json::from_value(document(idp, backends, others)?)?)
}

/// The same as it would stand in a file.
pub(crate) fn document(idp: &Idp, backends: &[&Fixture], others: &Value) -> Result<Value> {
    let mut strategies = serde_json::Map::new();
    for fixture in backends {
        let entry = fixture.entry(json!({}));
        let name = entry["name"].as_str().context("a backend without a name")?;
        strategies.insert(name.to_owned(), others.get(name).cloned().unwrap_or_else(|| strategy(idp, name)));
    }
    let entries: Vec<_> = backends.iter().map(|fixture| fixture.entry(json!({}))).collect();
    Ok(json!({ "backends": entries, "incomingAuth": callers_of(&[idp]), "outgoingAuth": { "backends": strategies } }))
}

pub(crate) fn gateway(idp: &Idp, backends: &[&Fixture], others: &Value) -> Result<Gateway> {
    Ok(Gateway::builder(config(idp, backends, others)?).build()?)
}

/// Calls the backend's tool that repeats its arguments.
pub(crate) async fn call(gateway: &Gateway, who: &Identity, backend: &str, arguments: &Value) -> Result<()> {
    let result = gateway.direct(who.clone()).call_tool(&format!("{backend}_echo"), &to_raw_value(arguments)?).await;
    match result {
        Ok(_) => Ok(()),
        Err(error) => anyhow::bail!("{}", error.message),
    }
}
