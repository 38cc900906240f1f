//! What a provider gives: codes, tokens, answers about tokens.

use super::{
    Asked, Client, Token,
    state::{Code, State, lock},
};
use anyhow::Result;
use aws_lc_rs::digest::{SHA256, digest};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Status and body.
pub(super) type Said = (u16, Value);

fn error(status: u16, code: &str, why: &str) -> Said {
    (status, json!({ "error": code, "error_description": why }))
}

/// The client that a request comes from: by the `Authorization` head or by the form (RFC 6749 §2.3.1).
fn client(state: &State, asked: &Asked) -> Result<Client, Said> {
    let wrong = || error(401, "invalid_client", "no such client, or not its secret");
    let basic = asked.header("authorization").and_then(|value| value.strip_prefix("Basic "));
    let (id, secret) = match basic {
        Some(encoded) => {
            let text = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(wrong)?;
            let (id, secret) = text.split_once(':').ok_or_else(wrong)?;
            (super::serve::unescaped(id), Some(super::serve::unescaped(secret)))
        }
        None => (asked.field("client_id").unwrap_or_default().to_owned(), asked.field("client_secret").map(str::to_owned)),
    };
    let known = lock(&state.clients).iter().find(|client| client.id == id).cloned().ok_or_else(wrong)?;
    if known.secret == secret { Ok(known) } else { Err(wrong()) }
}

/// The audience that is asked for: `audience` (RFC 8693), or `resource` (RFC 8707).
fn audience<'a>(state: &State, asked: &'a Asked) -> Result<Option<&'a str>, Said> {
    if state.spec.refuses_resource && asked.field("resource").is_some() {
        return Err(error(400, "invalid_target", "the parameter resource is not supported"));
    }
    Ok(asked.field("audience").or_else(|| asked.field("resource")))
}

fn granted(state: &Arc<State>, claims: Map<String, Value>, more: Value) -> Result<Said, Said> {
    let failed = |why: anyhow::Error| error(500, "server_error", &why.to_string());
    let mut token = Token::new(state, state.key().map_err(failed)?);
    let scope = state.spec.api.as_ref().map(|api| api.told(&claims)).or_else(|| claims.get("scope").cloned());
    for (name, value) in claims {
        token = token.claim(&name, value);
    }
    let token = token.sign().map_err(failed)?;
    let mut body = json!({ "access_token": token, "token_type": "Bearer", "expires_in": lock(&state.lifetime).as_secs() });
    if let Value::Object(body) = &mut body {
        if let Some(scope) = scope {
            body.insert("scope".to_owned(), scope);
        }
        if let Value::Object(more) = more {
            body.extend(more);
        }
    }
    Ok((200, body))
}

/// The token endpoint.
pub(super) fn token(state: &Arc<State>, asked: &Asked) -> Said {
    let given = match asked.field("grant_type") {
        Some("client_credentials") => of_client(state, asked),
        Some("authorization_code") => of_code(state, asked),
        Some("refresh_token") => refreshed(state, asked),
        Some("urn:ietf:params:oauth:grant-type:token-exchange") => exchanged(state, asked),
        _ => Err(error(400, "unsupported_grant_type", "no such grant")),
    };
    given.unwrap_or_else(|refusal| refusal)
}

/// Claims that follow from what is asked for.
fn asked_for(state: &State, asked: &Asked, claims: &mut Map<String, Value>) -> Result<(), Said> {
    if let Some(api) = &state.spec.api {
        return api.asked_for(asked, claims);
    }
    if let Some(audience) = audience(state, asked)? {
        claims.insert("aud".to_owned(), audience.into());
    }
    if let Some(scope) = asked.field("scope") {
        claims.insert("scope".to_owned(), scope.into());
    }
    Ok(())
}

/// RFC 6749 §4.4.
fn of_client(state: &Arc<State>, asked: &Asked) -> Result<Said, Said> {
    let client = client(state, asked)?;
    if client.secret.is_none() {
        return Err(error(400, "unauthorized_client", "a public client has no credentials"));
    }
    let mut claims = Map::new();
    claims.insert("sub".to_owned(), client.id.clone().into());
    claims.insert("client_id".to_owned(), client.id.into());
    asked_for(state, asked, &mut claims)?;
    granted(state, claims, Value::Null)
}

/// RFC 8693: of a token that this provider wrote, another for somebody else's ears.
fn exchanged(state: &Arc<State>, asked: &Asked) -> Result<Said, Said> {
    let client = client(state, asked)?;
    if asked.field("subject_token_type").is_none() {
        return Err(error(400, "invalid_request", "subject_token_type is required"));
    }
    let subject = asked.field("subject_token").unwrap_or_default();
    let Some(mut claims) = state.known(subject) else {
        return Err(error(400, "invalid_grant", "the subject token is not valid"));
    };
    for own in ["iat", "exp", "nbf", "jti", "aud", "scope"] {
        claims.remove(own);
    }
    if let Some(actor) = asked.field("actor_token") {
        let Some(actor) = state.known(actor) else {
            return Err(error(400, "invalid_grant", "the actor token is not valid"));
        };
        let mut act = json!({ "sub": actor.get("sub"), "iss": actor.get("iss") });
        if let (Value::Object(act), Some(before)) = (&mut act, claims.remove("act")) {
            act.insert("act".to_owned(), before);
        }
        claims.insert("act".to_owned(), act);
    }
    claims.insert("client_id".to_owned(), client.id.into());
    asked_for(state, asked, &mut claims)?;
    granted(state, claims, json!({ "issued_token_type": "urn:ietf:params:oauth:token-type:access_token" }))
}

/// Whether codes for this client may be sent there.
fn may_redirect(client: &Client, redirect: &str) -> bool {
    let without_port = |url: &str| {
        let rest = url.strip_prefix("http://")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        matches!(host, "127.0.0.1" | "localhost" | "[::1]").then(|| format!("{host}/{path}"))
    };
    client.redirects.is_empty()
        || client.redirects.iter().any(|known| {
            known == redirect || without_port(known).is_some_and(|known| without_port(redirect).is_some_and(|asked| asked == known))
        })
}

/// The authorization endpoint: where to send the browser, or why nowhere.
pub(super) fn authorize(state: &Arc<State>, asked: &Asked) -> Result<String, Said> {
    let id = asked.field("client_id").unwrap_or_default();
    let Some(client) = lock(&state.clients).iter().find(|client| client.id == id).cloned() else {
        return Err(error(400, "invalid_client", "no such client"));
    };
    let redirect = asked.field("redirect_uri").unwrap_or_default();
    if redirect.is_empty() || !may_redirect(&client, redirect) {
        return Err(error(400, "invalid_request", "redirect_uri is not one of the client's"));
    }
    if asked.field("response_type") != Some("code") {
        return Err(error(400, "unsupported_response_type", "only codes"));
    }
    let challenge = asked.field("code_challenge").unwrap_or_default();
    if challenge.is_empty() || asked.field("code_challenge_method") != Some("S256") {
        return Err(error(400, "invalid_request", "PKCE with S256 is required"));
    }
    let mut claims = Map::new();
    claims.insert("sub".to_owned(), asked.field("login_hint").unwrap_or("alice").into());
    claims.insert("client_id".to_owned(), client.id.clone().into());
    asked_for(state, asked, &mut claims)?;
    if let Some(withheld) = lock(&state.withheld).take() {
        let allowed =
            |claims: &Value| claims.as_str().map(|all| all.split(' ').filter(|one| *one != withheld).collect::<Vec<_>>().join(" "));
        for name in ["scope", "scp"] {
            if let Some(allowed) = claims.get(name).and_then(allowed) {
                claims.insert(name.to_owned(), allowed.into());
            }
        }
    }
    let code = state.unique("code");
    let asks_to_last = || asked.field("scope").is_some_and(|all| all.split(' ').any(|one| one == "offline_access"));
    let lasts = state.spec.renews && (state.spec.api.is_none() || asks_to_last());
    let waiting = Code { client: client.id, redirect: redirect.to_owned(), challenge: challenge.to_owned(), claims, lasts };
    lock(&state.codes).insert(code.clone(), waiting);
    let join = if redirect.contains('?') { '&' } else { '?' };
    let given = super::serve::escaped(asked.field("state").unwrap_or_default());
    let mut url = format!("{redirect}{join}code={code}&state={given}");
    if state.spec.names_itself {
        url += &format!("&iss={}", super::serve::escaped(&state.issuer));
    }
    Ok(url)
}

/// RFC 6749 §4.1.3 with RFC 7636.
fn of_code(state: &Arc<State>, asked: &Asked) -> Result<Said, Said> {
    let client = client(state, asked)?;
    let Some(code) = lock(&state.codes).remove(asked.field("code").unwrap_or_default()) else {
        return Err(error(400, "invalid_grant", "no such code, or it was used"));
    };
    let verifier = asked.field("code_verifier").unwrap_or_default();
    if URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())) != code.challenge {
        return Err(error(400, "invalid_grant", "the verifier does not fit the challenge"));
    }
    if code.client != client.id || asked.field("redirect_uri") != Some(&code.redirect) {
        return Err(error(400, "invalid_grant", "the code was given to somebody else"));
    }
    let mut claims = code.claims;
    asked_for(state, asked, &mut claims)?;
    if !code.lasts {
        return granted(state, claims, Value::Null);
    }
    let refresh = state.unique("refresh");
    lock(&state.tokens).insert(refresh.clone(), claims.clone());
    granted(state, claims, json!({ "refresh_token": refresh }))
}

/// RFC 6749 §6.
fn refreshed(state: &Arc<State>, asked: &Asked) -> Result<Said, Said> {
    client(state, asked)?;
    let Some(mut claims) = state.known(asked.field("refresh_token").unwrap_or_default()) else {
        return Err(error(400, "invalid_grant", "no such refresh token"));
    };
    asked_for(state, asked, &mut claims)?;
    granted(state, claims, Value::Null)
}

/// RFC 7662.
pub(super) fn introspect(state: &State, asked: &Asked) -> Said {
    if let Err(refusal) = client(state, asked) {
        return refusal;
    }
    match state.known(asked.field("token").unwrap_or_default()) {
        Some(mut claims) => {
            claims.insert("active".to_owned(), true.into());
            (200, claims.into())
        }
        None => (200, json!({ "active": false })),
    }
}

/// RFC 7591, for public clients.
pub(super) fn register(state: &State, wish: &Value) -> Said {
    if !state.spec.registers {
        return error(404, "not_found", "clients are not registered here");
    }
    let redirects = wish["redirect_uris"].as_array().into_iter().flatten().filter_map(|uri| uri.as_str().map(str::to_owned)).collect();
    let client = Client { redirects, ..Client::public(&state.unique("client")) };
    let mut answer = wish.clone();
    if let Value::Object(answer) = &mut answer {
        answer.insert("client_id".to_owned(), client.id.clone().into());
        answer.insert("token_endpoint_auth_method".to_owned(), "none".into());
    }
    lock(&state.clients).push(client);
    (201, answer)
}
