//! Tokens of forgers who know all that an issuer publishes, and who bring keys of their own: none of them lets anybody in.

use anyhow::{Context, Result};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use rcgen::{CertificateParams, PKCS_RSA_SHA256, PublicKeyData, SignatureAlgorithm, SigningKey};
use serde_json::{Value, json};
use std::sync::Arc;
use vmcp_tests::{
    Era,
    client::{Caller, Conn, Response, Rpc},
    fixture::{Fixture, Spec},
    idp::{Algorithm, Endpoint, Idp, IdpSpec, Key, forge},
    process::Vmcp,
};

struct Scene {
    idp: Idp,
    fixture: Fixture,
    vmcp: Vmcp,
}

impl Scene {
    async fn set() -> Result<Self> {
        // It may ask about tokens that it cannot read: a forgery is no reason to.
        Self::with(json!({ "clientId": "vmcp", "clientSecret": "vmcp-secret" })).await
    }

    async fn with(more: Value) -> Result<Self> {
        let (idp, fixture) = (Idp::start().await?, Fixture::start(Spec::modern("b")).await?);
        let oidc = idp.settings(more);
        let config = json!({ "incomingAuth": { "type": "oidc", "oidc": oidc }, "backends": [fixture.entry(json!({}))] });
        let vmcp = Vmcp::serve(config).await?;
        let scene = Self { idp, fixture, vmcp };
        assert_eq!(scene.call(&scene.idp.token_of("alice")?).await?.status(), 200, "the scene works");
        scene.fixture.forget_requests();
        Ok(scene)
    }

    async fn call(&self, token: &str) -> Result<Response> {
        let caller = Caller::new(Era::Modern).header("authorization", format!("Bearer {token}"));
        Conn::open(self.vmcp.addr()).await?.exchange(&caller.request(&Rpc::tool("b_echo", "{}"), "1")).await
    }

    async fn refused(&self, what: &str, token: &str) -> Result<()> {
        let response = self.call(token).await?;
        let said = response.head.header("www-authenticate").unwrap_or_default();
        assert!(response.status() == 401 && said.contains("error=\"invalid_token\""), "{what}: {} {said}", response.text());
        assert!(!response.text().contains(token) && !said.contains(token), "{what}: the refusal repeats it");
        Ok(())
    }

    /// Nothing came of it, at the backend or at the issuer, and good tokens are as good as before.
    async fn over(self) -> Result<()> {
        assert_eq!(self.fixture.calls().len(), 0, "something reached the backend");
        // A token that names no key may be of a new one: five times that is worth a question.
        assert!(self.idp.hits(Endpoint::Keys) <= 6 && self.idp.hits(Endpoint::Introspect) == 0);
        assert_eq!(self.call(&self.idp.token_of("bob")?).await?.status(), 200);
        Ok(())
    }
}

/// An RSA key as those see it who make certificates.
struct Rsa(Arc<Key>, Vec<u8>);

impl Rsa {
    fn new(key: Arc<Key>) -> Self {
        let public = key.public_bytes();
        Self(key, public)
    }

    /// A certificate that the key gives to itself, as it stands in `x5c`.
    fn certificate(&self) -> Result<String> {
        let params = CertificateParams::new(["id.example.com".to_owned()])?;
        Ok(STANDARD.encode(params.self_signed(self)?.der()))
    }
}

impl PublicKeyData for Rsa {
    fn der_bytes(&self) -> &[u8] {
        &self.1
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_RSA_SHA256
    }
}

impl SigningKey for Rsa {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(message).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

fn pem(der: &[u8]) -> String {
    let lines = STANDARD.encode(der).as_bytes().chunks(64).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\n");
    format!("-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n")
}

#[tokio::test]
async fn no_token_that_a_forger_or_a_mistake_makes_is_taken() -> Result<()> {
    let other = Idp::with(IdpSpec { algorithm: Algorithm::Es256, ..IdpSpec::default() }).await?;
    let scene = Scene::with(json!({})).await?;
    let idp = &scene.idp;
    let good = idp.token()?;
    let (head, claims) = (good.head_json(), good.claims_json());
    let with_algorithm = |algorithm: &str| head.replace("RS256", algorithm);
    let key = idp.key()?;
    let stranger = Arc::new(Key::generate("stranger", Algorithm::Rs256)?);
    let signed = good.clone().sign()?;
    let (text, signature) = signed.rsplit_once('.').context("no signature")?;
    let duplicate = claims.replacen('{', r#"{"sub":"admin","#, 1);
    let altered = idp.token()?.subject("admin").sign()?;
    let altered = altered.rsplit_once('.').context("no signature")?.0;
    let forgeries = [
        ("without a signature, and says so", forge::unsigned(&with_algorithm("none"), &claims)),
        ("without a signature", forge::unsigned(&head, &claims)),
        ("none in other letters", forge::unsigned(&with_algorithm("nOnE"), &claims)),
        ("HMAC with the public key", forge::hmac(&key.public_bytes(), &with_algorithm("HS256"), &claims)),
        ("HMAC with the public key that says RS256", forge::hmac(&key.public_bytes(), &head, &claims)),
        ("another algorithm of the same key", forge::raw(&key, &with_algorithm("PS256"), &claims)?),
        ("another algorithm than the key's", forge::raw(&key, &with_algorithm("ES256"), &claims)?),
        ("a stranger's key", good.clone().key(&stranger).sign()?),
        ("an unknown key", good.clone().head("kid", json!("made-up")).key(&stranger).sign()?),
        ("a key id that is a path", good.clone().head("kid", json!("../../dev/null")).key(&stranger).sign()?),
        ("a key in the head", good.clone().key(&stranger).head("jwk", stranger.jwk()).sign()?),
        ("an address of keys in the head", good.clone().key(&stranger).head("jku", json!(other.url("/jwks"))).sign()?),
        ("an address of certificates in the head", good.clone().key(&stranger).head("x5u", json!(other.url("/jwks"))).sign()?),
        ("critical extensions", good.clone().head("crit", json!(["exp"])).sign()?),
        ("expired", good.clone().expires_in(-61).sign()?),
        ("without an end", good.clone().without("exp").sign()?),
        ("not valid yet", good.clone().claim("nbf", json!(4_000_000_000_u64)).sign()?),
        ("issued in the future", good.clone().claim("iat", json!(4_000_000_000_u64)).sign()?),
        ("for somebody else", good.clone().audience("other").sign()?),
        ("for nobody", good.clone().without("aud").sign()?),
        ("of another issuer", good.clone().claim("iss", json!(other.issuer())).sign()?),
        ("of nobody", good.clone().without("iss").sign()?),
        ("an issuer with a slash more", good.clone().claim("iss", json!(format!("{}/", idp.issuer()))).sign()?),
        ("another issuer's token", other.token_of("alice")?),
        ("another issuer's key under our name", other.token()?.claim("iss", json!(idp.issuer())).sign()?),
        ("without a subject", good.clone().without("sub").sign()?),
        ("a subject twice", forge::raw(&key, &head, &duplicate)?),
        ("an ID token", good.clone().claim("at_hash", json!("x")).sign()?),
        ("an ID token without a hash", good.clone().head("typ", json!("JWT")).claim("nonce", json!("x")).sign()?),
        ("an ID token that says so", good.clone().head("typ", json!("JWT")).claim("typ", json!("ID")).sign()?),
        ("a logout token", good.clone().head("typ", json!("logout+jwt")).sign()?),
        ("altered", format!("{altered}.{signature}")),
        ("cut", text.to_owned()),
        ("longer than the longest", good.clone().claim("x", json!("x".repeat(20_000))).sign()?),
        ("garbage", "a.b.c".to_owned()),
        ("opaque", "gho_0123456789".to_owned()),
    ];
    for (what, token) in forgeries {
        scene.refused(what, &token).await?;
    }
    assert_eq!(other.hits(Endpoint::Keys), 0, "keys were taken from where the token said");
    scene.over().await
}

#[tokio::test]
async fn what_an_issuer_publishes_of_its_key_is_nobodys_secret_to_sign_with() -> Result<()> {
    let scene = Scene::set().await?;
    let key = scene.idp.key()?;
    let (jwk, der) = (key.jwk(), Rsa::new(Arc::clone(&key)).subject_public_key_info());
    let pem = pem(&der);
    let modulus = jwk["n"].as_str().unwrap_or_default().to_owned();
    let secrets = [
        ("the PEM", pem.clone().into_bytes()),
        ("the PEM without its last line end", pem.trim_end().as_bytes().to_vec()),
        ("the PEM with other line ends", pem.replace('\n', "\r\n").into_bytes()),
        ("the DER", der),
        ("the key in the DER", key.public_bytes()),
        ("the JWK", jwk.to_string().into_bytes()),
        ("the key set", json!({ "keys": [jwk] }).to_string().into_bytes()),
        ("the modulus as text", modulus.clone().into_bytes()),
        ("the modulus", URL_SAFE_NO_PAD.decode(modulus)?),
        ("the key's id", key.id.clone().into_bytes()),
        ("nothing", Vec::new()),
    ];
    let token = scene.idp.token()?.subject("admin");
    for (what, secret) in secrets {
        for algorithm in ["HS256", "RS256"] {
            for named in [json!(key.id), Value::Null] {
                let head = token.clone().head("alg", json!(algorithm)).head("kid", named).head_json();
                scene.refused(&format!("{what} with {head}"), &forge::hmac(&secret, &head, &token.claims_json())).await?;
            }
        }
    }
    scene.over().await
}

#[tokio::test]
async fn a_certificate_in_a_token_proves_nothing_of_its_issuer() -> Result<()> {
    let scene = Scene::set().await?;
    let own = Arc::new(Key::generate("own", Algorithm::Rs256)?);
    let (forger, issuer) = (Rsa::new(Arc::clone(&own)), Rsa::new(scene.idp.key()?));
    let (certificate, issuers) = (forger.certificate()?, issuer.certificate()?);
    let token = scene.idp.token()?.subject("admin").key(&own);
    for named in [json!(scene.idp.key()?.id), Value::Null] {
        for (what, chain) in [
            ("the forger's", json!([certificate])),
            ("the forger's, below the issuer's", json!([certificate, issuers])),
            ("the issuer's, below the forger's", json!([issuers, certificate])),
            ("text instead of a list", json!(certificate)),
        ] {
            for name in ["x5c", "jwk"] {
                let value = if name == "jwk" { own.jwk() } else { chain.clone() };
                scene.refused(what, &token.clone().head("kid", named.clone()).head(name, value).sign()?).await?;
            }
        }
    }
    scene.over().await
}

#[tokio::test]
async fn what_a_token_says_must_be_understood_is_not_passed_over() -> Result<()> {
    let scene = Scene::set().await?;
    for crit in [json!(["exp"]), json!(["b64"]), json!(["urn:example:more"]), json!([]), json!("exp"), json!(null), json!({})] {
        let token = scene.idp.token()?;
        // Written by hand, since `null` would take the member away.
        let head = token.head_json().replacen('{', &format!(r#"{{"crit":{crit},"b64":false,"urn:example:more":1,"#), 1);
        scene.refused(&head, &forge::raw(&*scene.idp.key()?, &head, &token.claims_json())?).await?;
    }
    scene.over().await
}

#[tokio::test]
async fn encrypted_and_nested_tokens_are_not_opened() -> Result<()> {
    let scene = Scene::set().await?;
    let (key, good) = (scene.idp.key()?, scene.idp.token_of("admin")?);
    let own = Arc::new(Key::generate("own", Algorithm::Rs256)?);
    let text = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let body = good.split('.').nth(1).unwrap_or_default();
    for head in [
        r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","cty":"JWT"}"#,
        r#"{"alg":"dir","enc":"A256GCM","typ":"at+jwt"}"#,
        r#"{"alg":"RS256","enc":"A256GCM","zip":"DEF"}"#,
        r#"{"alg":"none","enc":"none"}"#,
    ] {
        let head = text(head);
        scene.refused("a JWE", &format!("{head}.{}.{}.{}.{}", text("key"), text("nonce"), text(&good), text("tag"))).await?;
        scene.refused("a JWE without a key", &format!("{head}..{}.{}.{}", text("nonce"), text(&good), text("tag"))).await?;
        scene.refused("a JWE with claims in the clear", &format!("{head}.{body}.{body}.{body}.{body}")).await?;
    }
    for (who, key) in [("the issuer", &key), ("a forger", &own)] {
        let head = json!({ "alg": "RS256", "kid": scene.idp.key()?.id, "typ": "JWT", "cty": "JWT" }).to_string();
        scene.refused(&format!("nested by {who}"), &forge::raw(key, &head, &good)?).await?;
        scene.refused(&format!("nested as a text by {who}"), &forge::raw(key, &head, &json!(good).to_string())?).await?;
        scene.refused(&format!("nested as a member by {who}"), &forge::raw(key, &head, &json!({ "jwt": good }).to_string())?).await?;
    }
    // A good one with more behind or before it.
    for more in [format!("{good}.{good}"), format!("{good}."), format!(".{good}"), format!("{good}.{}", text("{}"))] {
        let response = scene.call(&more).await?;
        assert_eq!(response.status(), 401, "{}", response.text());
    }
    assert_eq!(scene.fixture.calls().len(), 0);
    Ok(())
}
