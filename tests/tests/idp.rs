//! What the tests may rely on in the identity provider of their own.

use anyhow::{Context, Result};
use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use vmcp_tests::{
    client::{Conn, Response},
    idp::{Algorithm, Client, Endpoint, Idp, IdpSpec, Outage},
};

async fn send(idp: &Idp, request: String) -> Result<Response> {
    let mut conn = Conn::open(idp.addr()).await?;
    conn.write(request.as_bytes()).await?;
    conn.response().await
}

async fn get(idp: &Idp, path: &str) -> Result<Response> {
    send(idp, format!("GET {path} HTTP/1.1\r\nhost: idp\r\n\r\n")).await
}

async fn post(idp: &Idp, path: &str, form: &str) -> Result<Response> {
    let basic = STANDARD.encode("vmcp:vmcp-secret");
    let length = form.len();
    let head = format!("POST {path} HTTP/1.1\r\nhost: idp\r\nauthorization: Basic {basic}\r\ncontent-length: {length}\r\n\r\n");
    send(idp, format!("{head}{form}")).await
}

fn member(token: &str, part: usize) -> Result<Value> {
    let part = token.split('.').nth(part).context("no such part")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part)?)?)
}

fn bytes(jwk: &Value, name: &str) -> Result<Vec<u8>> {
    Ok(URL_SAFE_NO_PAD.decode(jwk[name].as_str().context("no such member")?)?)
}

#[tokio::test]
async fn tokens_verify_with_the_published_key_that_their_head_names() -> Result<()> {
    let idp = Idp::start().await?;
    let mut tokens = vec![idp.token_of("alice")?];
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        idp.rotate(algorithm)?;
        tokens.push(idp.token_of("alice")?);
    }
    let keys = get(&idp, "/jwks").await?.json()?;
    for token in &tokens {
        let kid = member(token, 0)?["kid"].clone();
        let jwk = keys["keys"].as_array().into_iter().flatten().find(|key| key["kid"] == kid).context("the key is not published")?;
        let (text, signature) = token.rsplit_once('.').context("no signature")?;
        let signature = URL_SAFE_NO_PAD.decode(signature)?;
        let verified = match jwk["alg"].as_str().unwrap() {
            "RS256" => RsaPublicKeyComponents { n: bytes(jwk, "n")?, e: bytes(jwk, "e")? }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                text.as_bytes(),
                &signature,
            ),
            "ES256" => {
                let point = [&[4][..], &bytes(jwk, "x")?, &bytes(jwk, "y")?].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(text.as_bytes(), &signature)
            }
            _ => UnparsedPublicKey::new(&ED25519, bytes(jwk, "x")?).verify(text.as_bytes(), &signature),
        };
        assert!(verified.is_ok(), "{kid}");
    }
    idp.retire();
    assert_eq!(get(&idp, "/jwks").await?.json()?["keys"].as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn metadata_stands_where_each_standard_puts_it_and_only_there() -> Result<()> {
    let idp = Idp::with(IdpSpec { path: "/realms/acme".to_owned(), ..IdpSpec::default() }).await?;
    for path in [
        "/realms/acme/.well-known/openid-configuration",
        "/.well-known/openid-configuration/realms/acme",
        "/.well-known/oauth-authorization-server/realms/acme",
    ] {
        let document = get(&idp, path).await?.json()?;
        assert_eq!(document["issuer"], idp.issuer(), "{path}");
        assert_eq!(document["token_endpoint"], idp.url("/token"), "{path}");
    }
    assert_eq!(get(&idp, "/.well-known/openid-configuration").await?.status(), 404);
    assert_eq!((idp.hits(Endpoint::OpenId), idp.hits(Endpoint::OAuth), idp.hits(Endpoint::Unknown)), (2, 1, 1));
    Ok(())
}

#[tokio::test]
async fn a_client_gets_a_token_of_its_own_and_trades_its_users_for_another_audience() -> Result<()> {
    let idp = Idp::start().await?;
    let own = post(&idp, "/token", "grant_type=client_credentials&scope=read%20write&audience=b").await?.json()?;
    let claims = member(own["access_token"].as_str().context("no token")?, 1)?;
    assert_eq!((&claims["sub"], &claims["aud"], &claims["scope"]), (&json!("vmcp"), &json!("b"), &json!("read write")));

    let subject = idp.token()?.subject("ann").claim("email", json!("ann@example.com")).sign()?;
    let form = format!(
        "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token={subject}\
         &subject_token_type=urn:ietf:params:oauth:token-type:access_token&audience=github"
    );
    let traded = post(&idp, "/token", &form).await?.json()?;
    let claims = member(traded["access_token"].as_str().context("no token")?, 1)?;
    assert_eq!((&claims["sub"], &claims["aud"], &claims["email"]), (&json!("ann"), &json!("github"), &json!("ann@example.com")));
    assert_eq!(idp.asked(Endpoint::Token)[1].field("audience"), Some("github"));

    idp.revoke(&subject);
    assert_eq!(post(&idp, "/token", &form).await?.json()?["error"], "invalid_grant");
    Ok(())
}

#[tokio::test]
async fn a_code_is_traded_once_and_by_whoever_knows_the_verifier() -> Result<()> {
    let idp = Idp::start().await?;
    idp.register(Client::public("editor"));
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, b"the verifier"));
    let ask = format!(
        "/authorize?response_type=code&client_id=editor&redirect_uri=http://127.0.0.1:1/cb&code_challenge={challenge}\
         &code_challenge_method=S256&state=s&resource=https://mcp.example.com/mcp&login_hint=bob"
    );
    let answer = get(&idp, &ask).await?;
    let to = answer.head.header("location").context("no redirect")?.to_owned();
    let code = to.strip_prefix("http://127.0.0.1:1/cb?code=").and_then(|rest| rest.split('&').next()).context("no code")?;
    assert!(to.contains("&state=s&iss=http%3A%2F%2F127.0.0.1"), "{to}");
    let trade = |verifier: &str| {
        let form = format!(
            "grant_type=authorization_code&client_id=editor&code={code}&redirect_uri=http://127.0.0.1:1/cb&code_verifier={verifier}"
        );
        send(&idp, format!("POST /token HTTP/1.1\r\nhost: idp\r\ncontent-length: {}\r\n\r\n{form}", form.len()))
    };
    let token = trade("the+verifier").await?.json()?;
    let claims = member(token["access_token"].as_str().context("no token")?, 1)?;
    assert_eq!((&claims["sub"], &claims["aud"]), (&json!("bob"), &json!("https://mcp.example.com/mcp")));
    assert_eq!(trade("the+verifier").await?.status(), 400, "a code is good once");
    Ok(())
}

#[tokio::test]
async fn introspection_tells_of_good_tokens_to_clients_with_a_secret() -> Result<()> {
    let idp = Idp::start().await?;
    let good = idp.token()?.scope("tools").opaque();
    let over = idp.token()?.expires_in(-1).opaque();
    let answer = post(&idp, "/introspect", &format!("token={good}")).await?.json()?;
    assert_eq!((&answer["active"], &answer["sub"], &answer["scope"]), (&json!(true), &json!("alice"), &json!("tools")));
    assert_eq!(post(&idp, "/introspect", &format!("token={over}")).await?.json()?, json!({ "active": false }));
    let form = format!("token={good}");
    let bare = format!("POST /introspect HTTP/1.1\r\nhost: idp\r\ncontent-length: {}\r\n\r\n{form}", form.len());
    assert_eq!(send(&idp, bare).await?.status(), 401);
    Ok(())
}

#[tokio::test]
async fn an_outage_is_of_one_endpoint_and_ends_when_it_is_healed() -> Result<()> {
    let idp = Idp::start().await?;
    idp.fail(Endpoint::Keys, Outage::Status(503));
    assert_eq!(get(&idp, "/jwks").await?.status(), 503);
    assert_eq!(get(&idp, "/.well-known/openid-configuration").await?.status(), 200);
    idp.fail(Endpoint::Keys, Outage::Cut);
    assert!(get(&idp, "/jwks").await.is_err());
    idp.fail(Endpoint::Keys, Outage::Hang);
    let mut hanging = Conn::open(idp.addr()).await?;
    idp.forget_asked();
    hanging.write(b"GET /jwks HTTP/1.1\r\nhost: idp\r\n\r\n").await?;
    idp.until("the request that hangs", |idp| idp.hits(Endpoint::Keys) == 1).await?;
    idp.heal();
    assert!(hanging.closes().await?);
    assert_eq!(get(&idp, "/jwks").await?.status(), 200);
    idp.kill();
    idp.restart().await?;
    assert_eq!(get(&idp, "/jwks").await?.status(), 200);
    Ok(())
}
