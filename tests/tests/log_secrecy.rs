//! At the most talkative level, with everything well and with everything failing: no credential stands in the log, and none in an answer.

mod exchanged;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fmt::Write as _,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    net::Ipv4Addr,
};
use tokio::{net::TcpListener, task::JoinHandle};
use vmcp_tests::{
    Era,
    fixture::{Fault, Fixture, Spec},
    idp::{Client, Endpoint, Idp, IdpSpec, Outage},
    process::{Vmcp, new_key},
};

const CLIENT_SECRET: &str = "s3cr3t-of-the-client-71f09b";
const STATIC_KEY: &str = "static-key-5e2c41d8a0";
const ODD_TOKEN: &str = "odd-token-0a1b2c3d4e5f";
const PROGRAM_SECRET: &str = "s3cr3t-of-the-program-8d14c7";
const BACKENDS: [&str; 5] = ["traded", "own", "fixed", "told", "served"];
/// A credential program that says on its standard error all that it knows, gives a key, and repeats what it is told where it fails.
const PROGRAM: &str = r#"told=$(cat)
    echo "told: $told" >&2; echo "secret: $PROGRAM_SECRET" >&2
    case $told in *unlucky*) echo "$told"; exit 1;; *late*) echo "no answer: $told"; exit 0;; esac
    key=program-gave-$(printf %s "$told" | cksum | cut -d' ' -f1); echo "given: $key" >&2
    printf '{"headers":{"authorization":"Bearer %s"},"expiresAt":4000000000}' "$key""#;

/// What must not be seen: of a JWT each part counts, but the head, which says nothing.
fn parts(token: &str) -> impl Iterator<Item = String> {
    std::iter::once(token).chain(token.split('.').skip(1)).filter(|part| part.len() > 8).map(str::to_owned)
}

fn ensure_absent<'a>(secrets: impl IntoIterator<Item = &'a String>, text: &str, place: &str) -> Result<()> {
    for secret in secrets {
        ensure!(!text.contains(secret.as_str()), "{secret} stands in {place}");
    }
    Ok(())
}

/// A service that does the same over HTTP. It ends with this value.
struct Service(JoinHandle<()>, String);

impl Drop for Service {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Service {
    async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(Self::answer)));
            }
        });
        Ok(Self(accepting, url))
    }

    async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let told = request.into_body().collect().await?.to_bytes();
        let text = String::from_utf8_lossy(&told);
        if text.contains("unlucky") {
            return Ok(Response::builder().status(500).body(Full::new(told))?);
        }
        if text.contains("late") {
            return Ok(Response::new(Full::new(told)));
        }
        let mut hasher = DefaultHasher::new();
        told.hash(&mut hasher);
        let key = format!("Bearer service-gave-{}", hasher.finish());
        let answer = json!({ "headers": { "authorization": key }, "expiresAt": 4_000_000_000_u64 });
        Ok(Response::new(Full::from(answer.to_string())))
    }
}

/// A gateway that traces all it does, towards backends with a credential of each kind.
struct Scene {
    idp: Idp,
    _service: Service,
    fixtures: Vec<Fixture>,
    vmcp: Vmcp,
    secrets: BTreeSet<String>,
    answers: String,
}

impl Scene {
    async fn set() -> Result<Self> {
        let clients = vec![Client::confidential("vmcp", CLIENT_SECRET)];
        let idp = Idp::with(IdpSpec { clients, ..IdpSpec::default() }).await?;
        let mut fixtures = Vec::new();
        for (n, name) in BACKENDS.into_iter().enumerate() {
            fixtures.push(Fixture::start(Spec::new(name, Era::BOTH[n % 2])).await?);
        }
        let service = Service::start().await?;
        let vmcp = Vmcp::with(Self::config(&idp, &service, &fixtures)?).args(&["--log-level", "trace"]);
        let vmcp = vmcp.env("CLIENT_SECRET", CLIENT_SECRET).env("STATIC_KEY", STATIC_KEY).env("PROGRAM_SECRET", PROGRAM_SECRET);
        let vmcp = vmcp.start().await?;
        let secrets = [CLIENT_SECRET, STATIC_KEY, ODD_TOKEN, PROGRAM_SECRET].map(str::to_owned).into();
        Ok(Self { idp, _service: service, fixtures, vmcp, secrets, answers: String::new() })
    }

    fn config(idp: &Idp, service: &Service, fixtures: &[Fixture]) -> Result<Value> {
        let (mut traded, mut own) = (exchanged::strategy(idp, "traded"), exchanged::service(idp, "own"));
        traded["tokenExchange"]["clientSecret"] = json!({ "fromEnv": "CLIENT_SECRET" });
        own["clientCredentials"]["clientSecret"] = json!({ "fromEnv": "CLIENT_SECRET" });
        own["clientCredentials"]["clientAuthMethod"] = json!("client_secret_post");
        let fixed = json!({ "type": "header_injection", "headerInjection": { "headerName": "x-api-key", "headerValueEnv": "STATIC_KEY" } });
        let told = json!({ "type": "exec", "exec": {
            "command": "sh", "args": ["-c", PROGRAM], "envPassthrough": ["PROGRAM_SECRET"], "sendToken": true,
        } });
        let served = json!({ "type": "external", "external": { "url": service.1, "sendToken": true } });
        let others = json!({ "traded": traded, "own": own, "fixed": fixed, "told": told, "served": served });
        let mut config = exchanged::document(idp, &fixtures.iter().collect::<Vec<_>>(), &others)?;
        config["incomingAuth"]["oidc"]["clientId"] = json!("vmcp");
        config["incomingAuth"]["oidc"]["clientSecretEnv"] = json!("CLIENT_SECRET");
        Ok(config)
    }

    /// Calls a tool of every backend with this token; gives the statuses, or none when no session is opened.
    async fn call(&mut self, token: &str, era: Era) -> Result<Vec<u16>> {
        self.secrets.extend(parts(token));
        let opened = self.vmcp.client_of(era).header("authorization", format!("Bearer {token}")).connect().await;
        let mut client = match opened {
            Ok(client) => client,
            Err(why) => {
                write!(self.answers, "{why:#}")?;
                return Ok(Vec::new());
            }
        };
        let mut statuses = Vec::new();
        for backend in BACKENDS {
            let response = client.call(&format!("{backend}_echo"), "{}").await?.response;
            writeln!(self.answers, "{}", response.text())?;
            for (name, value) in &response.head.headers {
                writeln!(self.answers, "{name}: {}", String::from_utf8_lossy(value))?;
            }
            statuses.push(response.status());
        }
        Ok(statuses)
    }

    /// What the backends and the provider were sent.
    fn passed(&self) -> BTreeSet<String> {
        let mut secrets = BTreeSet::new();
        for request in self.fixtures.iter().flat_map(Fixture::requests) {
            if let Some(value) = request.value("authorization") {
                secrets.extend(parts(value.strip_prefix("Bearer ").unwrap_or(value)));
            }
        }
        for asked in self.idp.asked(Endpoint::Token).iter().chain(&self.idp.asked(Endpoint::Introspect)) {
            secrets.extend(asked.header("authorization").and_then(|value| value.strip_prefix("Basic ")).map(str::to_owned));
        }
        secrets
    }
}

#[tokio::test]
async fn no_token_and_no_secret_stands_in_the_log_when_all_is_well_nor_when_the_provider_and_the_backends_fail() -> Result<()> {
    let mut scene = Scene::set().await?;
    for (n, era) in Era::BOTH.into_iter().enumerate() {
        let (jwt, opaque) = (scene.idp.token_of(&format!("user-{n}"))?, scene.idp.token()?.opaque());
        assert_eq!(scene.call(&jwt, era).await?, [200; BACKENDS.len()]);
        assert_eq!(scene.call(&opaque, era).await?, [200; BACKENDS.len()]);
        // Tokens that are refused are somebody's too.
        let wrong = scene.idp.token()?.audience("other").sign()?;
        scene.call(&wrong, era).await?;
        scene.call(&format!("made-up-{n}-0123456789"), era).await?;
    }
    assert!(scene.passed().len() >= 8, "{:?}", scene.passed());

    // A provider that repeats in its refusal what it was sent, and one whose answer cannot be read.
    let telling = json!({ "error": "invalid_grant", "error_description": format!("not the secret: {CLIENT_SECRET}") }).to_string();
    let odd = json!({ "access_token": [ODD_TOKEN] }).to_string();
    for (n, outage) in [Outage::Status(500), Outage::Body(telling), Outage::Body(odd), Outage::Cut].into_iter().enumerate() {
        for endpoint in [Endpoint::Token, Endpoint::Introspect, Endpoint::Keys] {
            scene.idp.fail(endpoint, outage.clone());
        }
        let before = scene.idp.hits(Endpoint::Token);
        let (jwt, opaque) = (scene.idp.token_of(&format!("unlucky-{n}"))?, scene.idp.token()?.opaque());
        // After a failure nobody is asked for a moment.
        vmcp_tests::eventually("the provider is asked", async || {
            scene.call(&jwt, Era::Modern).await.is_ok() && scene.idp.hits(Endpoint::Token) > before
        })
        .await?;
        scene.call(&opaque, Era::Modern).await?;
    }
    scene.idp.heal();
    for (n, fault) in [Fault::Status(401), Fault::NotMcp, Fault::CutBeforeHead].into_iter().enumerate() {
        scene.fixtures.iter().for_each(|fixture| fixture.fail_on("tools/call", fault.clone()));
        let token = scene.idp.token_of(&format!("late-{n}"))?;
        scene.call(&token, Era::Modern).await?;
    }

    let passed = scene.passed();
    for gave in ["program-gave-", "service-gave-"] {
        ensure!(passed.iter().any(|value| value.starts_with(gave)), "no {gave}");
    }
    scene.secrets.extend(passed);
    let log = scene.vmcp.quit().await?;
    ensure!(log.contains(r#""level":"DEBUG""#) || log.contains(r#""level":"TRACE""#), "the log is not talkative");
    ensure!(log.contains("token endpoint"), "nothing is said of the provider's failures");
    ensure!(log.contains("told: ") && log.contains("secret: ") && log.contains("given: "), "nothing is said of what the program wrote");
    ensure!(log.contains("credential service"), "nothing is said of the service's failures");
    ensure_absent(&scene.secrets, &log, "the log")?;
    ensure_absent(&scene.secrets, &scene.answers, "an answer")
}

#[tokio::test]
async fn no_key_of_a_caller_stands_in_the_log() -> Result<()> {
    let fixture = Fixture::start(Spec::modern("b")).await?;
    let (key, hash) = new_key().await?;
    let keys = json!({ "keys": [{ "subject": "ann", "hash": hash }, { "subject": "bob", "key": { "fromEnv": "BOBS_KEY" } }] });
    let bobs = "a-key-of-bobs-0123456789abcdef";
    let config = json!({ "incomingAuth": { "type": "apiKey", "apiKey": keys }, "backends": [fixture.entry(json!({}))] });
    let vmcp = Vmcp::with(config).args(&["--log-level", "trace"]).env("BOBS_KEY", bobs).start().await?;
    let wrong = format!("{key}x");
    for era in Era::BOTH {
        for known in [key.as_str(), bobs] {
            let mut client = vmcp.client_of(era).header("x-api-key", known).connect().await?;
            client.call("b_echo", "{}").await?.result()?;
            client.caller.set("x-api-key", &wrong);
            let refused = client.call("b_echo", "{}").await?.response;
            assert_eq!(refused.status(), 401);
            assert!(!refused.text().contains(&wrong));
        }
    }
    let digits = hash.strip_prefix("sha256:").context("no hash")?;
    ensure_absent(&[&key, bobs, digits].map(str::to_owned), &vmcp.quit().await?, "the log")
}
