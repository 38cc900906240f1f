//! Asking an issuer about a token that only it can read (RFC 7662).

use super::{
    ask::{Asker, Document},
    kept::{PAUSE, Unavailable},
    keys::Keys,
    strict,
};
use crate::{oauth::Form, secret_value::basic};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use std::time::Duration;
use tokio::{sync::Semaphore, time::timeout};
use url::Url;

/// So many tokens are asked about at a time. Anybody can make up any number, and neither the issuer nor the connections of the gateway shall
/// suffer for it.
const AT_ONCE: usize = 64;

/// How long a token waits for its turn to be asked about.
const PATIENCE: Duration = Duration::from_secs(1);

/// What vmcp asks as.
pub(super) struct Introspection {
    url: Option<Url>,
    client: String,
    secret: SecretString,
    turns: Semaphore,
}

impl Introspection {
    /// Asks at `url`, or where the issuer's metadata say, as this client.
    pub(super) fn new(url: Option<Url>, client: String, secret: SecretString) -> Self {
        Self { url, client, secret, turns: Semaphore::new(AT_ONCE) }
    }

    /// What the issuer says of a token; `None` when it is not active.
    pub(super) async fn ask(&self, issuer: &Keys, token: &str) -> Result<Option<Map<String, Value>>, Unavailable> {
        let what = Document::Answer;
        let asker = &issuer.asker;
        let Ok(Ok(_turn)) = timeout(PATIENCE, self.turns.acquire()).await else { return Err(Unavailable { retry_after: PAUSE }) };
        let url = match &self.url {
            Some(url) => url.clone(),
            None => match &issuer.metadata().await?.introspection_endpoint {
                Some(url) => url.clone(),
                None => return Err(asker.failed(what, "the metadata has no `introspection_endpoint`; set `introspectionUrl`")),
            },
        };
        let answer = asker.post(what, &url, self.credentials(), form(token)).await?;
        if answer.status != StatusCode::OK {
            let hint = if answer.status == StatusCode::UNAUTHORIZED { "; check `clientId` and `clientSecretEnv`" } else { "" };
            return Err(asker.failed(what, &format!("{} answered with status {}{hint}", Asker::shown(&url), answer.status.as_u16())));
        }
        let Some(mut said) = strict::object(&answer.body) else {
            return Err(asker.failed(what, &format!("{} answered with something else than JSON", Asker::shown(&url))));
        };
        let is_active = said.remove("active") == Some(Value::Bool(true));
        // One issuer has one name; whoever answers with another speaks of another's token.
        let is_own = said.get("iss").is_none_or(|issuer| issuer.as_str() == Some(&asker.issuer));
        Ok((is_active && is_own).then_some(said))
    }

    fn credentials(&self) -> HeaderMap {
        basic(&self.client, self.secret.expose_secret()).map(|basic| (AUTHORIZATION, basic)).into_iter().collect()
    }
}

fn form(token: &str) -> Bytes {
    let mut form = Form::with_room();
    form.add("token_type_hint", "access_token");
    form.add("token", token);
    form.into_body()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{registries, testing};
    use http::HeaderValue;
    use std::{
        future::pending,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };
    use tokio::task::JoinSet;
    use vmcp_core::plugin::{BoxFuture, CaBundle, CaBundleError, Fetch, FetchError, FetchRequest, FetchResponse, RequestHead};

    /// An issuer that never answers, and how often it was asked.
    #[derive(Default)]
    struct Silent(AtomicUsize);

    impl Fetch for Silent {
        fn fetch(&self, _: FetchRequest) -> BoxFuture<'_, Result<FetchResponse, FetchError>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Box::pin(pending())
        }

        fn check_ca_bundle(&self, _: &CaBundle) -> Result<(), CaBundleError> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn tokens_that_strangers_make_up_are_asked_about_a_few_at_a_time() {
        let issuer = Arc::new(Silent::default());
        let mut deps = testing::deps();
        deps.fetch = Arc::clone(&issuer) as Arc<dyn Fetch>;
        let settings = r#"{"oidc": {"issuer": "https://id.example.com", "audience": "x", "clientId": "vmcp", "clientSecret": "s",
            "introspectionUrl": "https://id.example.com/introspect"}}"#;
        let oidc = registries().authenticators.build("oidc", &testing::settings(settings), &deps).unwrap();
        let mut callers = JoinSet::new();
        for n in 0..AT_ONCE + 10 {
            let oidc = Arc::clone(&oidc);
            callers.spawn(async move {
                let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer made-up-{n}")).unwrap())]);
                oidc.authenticate(&RequestHead::new(&headers, None)).await.map(drop).map_err(|rejected| rejected.status)
            });
        }
        for _ in 0..10 {
            assert_eq!(callers.join_next().await.unwrap().unwrap(), Err(StatusCode::SERVICE_UNAVAILABLE));
        }
        assert_eq!(issuer.0.load(Ordering::Relaxed), AT_ONCE);
    }
}
