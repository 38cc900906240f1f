//! From settings to an authenticator, with every refusal in words.

use super::{
    ask::{Asker, Complaints},
    authenticator::Oidc,
    claims::Rules,
    config::{IssuerConfig, OidcConfig},
    facade::Facade,
    introspection::Introspection,
    issuer::Issuer,
    keys::Keys,
    rounds::Rounds,
    seen::Seen,
    told,
};
use crate::oauth::authorities;
use secrecy::{ExposeSecret, SecretString};
use std::{collections::HashMap, fmt::Display, sync::Arc, time::Duration};
use url::Url;
use vmcp_core::{
    config::SecretError,
    plugin::{Authenticator, AuthenticatorFactory, Deps, Misplaced, ProtectedResource, Reach, SettingWarning, StrategyError},
};

/// The most that the issuer's clock may be from this one.
const MOST_LEEWAY: Duration = Duration::from_secs(5 * 60);

/// `incomingAuth: { type: oidc }`: callers bring access tokens of issuers that are configured.
///
/// A JWT is checked with the issuer's published keys; one that only its issuer can read is asked about there (RFC 7662).
#[derive(Clone, Copy, Debug, Default)]
pub struct OidcFactory;

impl AuthenticatorFactory for OidcFactory {
    const KIND: &'static str = "oidc";
    type Config = OidcConfig;

    fn build(&self, config: OidcConfig, deps: &Deps) -> Result<Arc<dyn Authenticator>, StrategyError> {
        let mut issuers = HashMap::new();
        let mut asked = None;
        let mut required: Vec<String> = Vec::new();
        let mut names = Vec::new();
        let mut warnings = Vec::new();
        let all = std::iter::once((String::new(), &config.issuer));
        let further = config.issuers.iter().enumerate().map(|(n, issuer)| (format!("issuers[{n}]"), issuer));
        for (place, settings) in all.chain(further) {
            let issuer = Arc::new(issuer(&place, settings, deps)?);
            if issuer.introspection.is_some() && asked.replace(Arc::clone(&issuer)).is_some() {
                // Nothing in such a token says whose it is, and one issuer's tokens are nothing for another's eyes.
                return Err(refused(
                    &place,
                    "",
                    "has a client secret, as another issuer has; only one can be asked about tokens that are no JWTs",
                ));
            }
            // Beside a façade it may stand for the reader.
            if settings.client_id.is_some() && issuer.introspection.is_none() && config.facade.is_none() {
                warnings.push(idle_client(&place));
            }
            let name = Arc::clone(&issuer.rules.issuer);
            names.push(name.to_string());
            required.extend(settings.required_scopes.iter().filter(|scope| !required.contains(scope)).cloned().collect::<Vec<_>>());
            if issuers.insert(name, issuer).is_some() {
                return Err(refused(&place, "issuer", "has an `issuer` that is configured twice; keep one, with a list as `audience`"));
            }
        }
        let of_facade = config.facade.as_ref().and_then(|facade| facade.scopes.as_deref());
        // Both stand in challenges, between quotes.
        check_scopes("", "scopes", config.scopes.as_deref().unwrap_or_default())?;
        check_scopes("facade", "scopes", of_facade.unwrap_or_default())?;
        let scope = told::asked_as(&required, &told::advertised(config.scopes.as_deref(), of_facade));
        let advertised = config.scopes.unwrap_or_else(|| if required.is_empty() { vec!["openid".to_owned()] } else { required });
        let own = issuers.get(config.issuer.issuer.as_str());
        let facade = match (config.facade, own) {
            (Some(facade), Some(own)) => {
                Some(Facade::new(facade, own, &advertised).map_err(|wrong| StrategyError::Settings(vec![wrong.below("facade")]))?)
            }
            _ => None,
        };
        if facade.is_some() {
            // None says: the gateway's own origin, where the façade is.
            names.clear();
        }
        let identifier = config.resource.map(told::identifier).transpose().map_err(|what| refused("", "resource", what))?;
        let mut resource = ProtectedResource::default();
        (resource.resource, resource.authorization_servers, resource.scopes_supported) = (identifier, names, advertised);
        Ok(Arc::new(Oidc { issuers, asked, resource, scope, warnings, facade, seen: Seen::default(), asking: Rounds::default() }))
    }
}

/// What is wrong with a setting of the issuer at `place`, or without one with all of them.
fn refused(place: &str, setting: &str, what: impl Display) -> StrategyError {
    let wrong = Misplaced::new(setting, what.to_string());
    StrategyError::Settings(vec![if place.is_empty() { wrong } else { wrong.below(place) }])
}

fn idle_client(place: &str) -> SettingWarning {
    SettingWarning {
        place: if place.is_empty() { "clientId".to_owned() } else { format!("{place}.clientId") },
        message: "has no effect without a client secret: it is for asking the issuer about tokens that are no JWTs".to_owned(),
        hint: "add `clientSecretEnv`, or remove it",
    }
}

fn issuer(place: &str, settings: &IssuerConfig, deps: &Deps) -> Result<Issuer, StrategyError> {
    let refused = |setting: &str, what: &str| refused(place, setting, what);
    if let Some(name) = settings.unknown.keys().next() {
        return Err(refused(name, &format!("`{name}` is no key of it; remove it, or correct its name")));
    }
    let url = Url::parse(&settings.issuer).ok().filter(|url| url.has_host() && url.query().is_none() && url.fragment().is_none());
    let url = url.ok_or_else(|| refused("issuer", "`issuer` must be a URL without query and fragment, such as https://id.example.com"))?;
    let own = [("issuer", Some(&url)), ("jwksUrl", settings.jwks_url.as_ref()), ("introspectionUrl", settings.introspection_url.as_ref())];
    for (name, url) in own {
        // The log names the places that cannot be read, and nothing in it is to be a secret.
        if url.is_some_and(|url| !url.username().is_empty() || url.password().is_some()) {
            return Err(refused(name, &format!("`{name}` has a user name or a password, which is never sent; remove it")));
        }
        match url.map(Url::scheme) {
            None | Some("https") => {}
            Some("http") if settings.insecure_allow_http => {}
            Some("http") => {
                return Err(refused(name, &format!("`{name}` is not https; `insecureAllowHttp: true` would allow it for tests")));
            }
            Some(_) => return Err(refused(name, &format!("`{name}` must be an https URL"))),
        }
    }
    let audiences = settings.audience.names();
    if audiences.is_empty() || audiences.iter().any(String::is_empty) {
        return Err(refused(
            "audience",
            "`audience` must name at least one audience: what the issuer writes into `aud` of tokens for this gateway",
        ));
    }
    check_scopes(place, "requiredScopes", &settings.required_scopes)?;
    if settings.leeway.0 > MOST_LEEWAY {
        return Err(refused("leeway", "`leeway` is longer than 5m; set the clocks instead"));
    }
    let ca_bundle = match &settings.ca_bundle_path {
        Some(path) => match deps.secrets.read(path) {
            Ok(pem) => {
                let bundle = authorities(pem, deps);
                Some(bundle.map_err(|why| refused("caBundlePath", &format!("`caBundlePath` names a file that cannot be used: {why}")))?)
            }
            Err(_) if deps.secrets.may_be_missing() => None,
            Err(error) => return Err(refused("caBundlePath", &format!("`caBundlePath` names a file that cannot be read: {error}"))),
        },
        None => None,
    };
    let reaches_private = settings.jwks_allow_private_ip || settings.protected_resource_allow_private_ip;
    let name: Arc<str> = settings.issuer.as_str().into();
    let asker = Asker {
        fetch: Arc::clone(&deps.fetch),
        issuer: Arc::clone(&name),
        reach: if reaches_private { Reach::Anywhere } else { Reach::Public },
        ca_bundle,
        allows_http: settings.insecure_allow_http,
        complaints: Arc::new(Complaints::default()),
    };
    let group_claims = std::iter::once(&settings.groups_claim).chain(&settings.roles_claim).filter(|name| !name.is_empty());
    let rules = Rules {
        issuer: name,
        audiences: audiences.to_vec(),
        required_scopes: settings.required_scopes.clone(),
        leeway: settings.leeway.0,
        group_claims: group_claims.cloned().collect(),
    };
    let introspection = introspection(settings, deps).map_err(|Misplaced { place: setting, message }| refused(&setting, &message))?;
    Ok(Issuer { rules, keys: Keys::new(asker, url, settings.jwks_url.clone()), introspection })
}

/// Refuses what is no scope (RFC 6749 §3.3) in a list of them.
fn check_scopes(place: &str, setting: &str, scopes: &[String]) -> Result<(), StrategyError> {
    let is_scope = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    if scopes.iter().all(|scope| !scope.is_empty() && scope.bytes().all(is_scope)) {
        return Ok(());
    }
    let what = format!(
        "`{setting}` has a scope that is empty, or with a space, a quote or another character that no scope has; write each scope as an \
         element of its own"
    );
    Err(refused(place, setting, what))
}

fn introspection(settings: &IssuerConfig, deps: &Deps) -> Result<Option<Introspection>, Misplaced> {
    if settings.client_secret.is_some() && settings.client_secret_env.is_some() {
        return Err(Misplaced::new("clientSecretEnv", "has both `clientSecret` and `clientSecretEnv`; remove one"));
    }
    let has_secret = settings.client_secret.is_some() || settings.client_secret_env.is_some();
    let Some(client) = settings.client_id.clone().filter(|client| !client.is_empty() && has_secret) else {
        if has_secret {
            return Err(Misplaced::new("clientId", "has a client's secret and no `clientId`; add it"));
        }
        if settings.introspection_url.is_some() {
            let why = "`introspectionUrl` needs `clientId` and `clientSecretEnv`: issuers tell about tokens only to clients they know";
            return Err(Misplaced::new("introspectionUrl", why));
        }
        return Ok(None);
    };
    let place = settings.client_secret.as_ref().map_or_else(|| "clientSecretEnv".to_owned(), |source| source.place("clientSecret"));
    let secret = deps.secrets.get_either(settings.client_secret.as_ref(), settings.client_secret_env.as_deref());
    // None: only the settings are checked, and nobody is asked.
    let lacks = |error: SecretError| Misplaced::new(&place, format!("has no client secret: {error}; {}", error.advice()));
    let secret = secret.map_err(lacks)?.unwrap_or_else(SecretString::default);
    if secret.expose_secret().is_empty() && !deps.secrets.may_be_missing() {
        return Err(Misplaced::new(place, "has an empty client secret; set it"));
    }
    Ok(Some(Introspection::new(settings.introspection_url.clone(), client, secret)))
}

#[cfg(test)]
mod tests {
    use crate::{
        registries,
        testing::{self, provider::Provider},
    };
    use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
    use vmcp_core::plugin::{Principal, RequestHead};

    fn refusal(json: &str) -> Option<String> {
        registries().authenticators.build("oidc", &testing::settings(json), &testing::deps()).err().map(|error| error.to_string())
    }

    #[test]
    fn a_misspelt_protection_is_refused_at_every_issuer() {
        let first = r#"{"oidc": {"issuer": "https://a.example", "audience": "x", "requiredScope": ["admin"]}}"#;
        let further = r#"{"oidc": {"issuer": "https://a.example", "audience": "x", "issuers": [
            {"issuer": "https://b.example", "audience": "x", "requiredScope": ["admin"]}]}}"#;
        for (settings, place) in [(first, "requiredScope: "), (further, "issuers[0].requiredScope: ")] {
            let refusal = refusal(settings).expect("it was taken");
            assert!(refusal.contains("`requiredScope`") && refusal.starts_with(place), "{refusal}");
        }
    }

    #[test]
    fn each_url_without_tls_is_refused_by_its_name_unless_that_is_allowed() {
        let https = r#""issuer": "https://id.example", "audience": "x", "clientId": "vmcp", "clientSecret": "s""#;
        for (name, settings) in [
            ("issuer", r#""issuer": "http://id.example", "audience": "x""#.to_owned()),
            ("jwksUrl", format!(r#"{https}, "jwksUrl": "http://id.example/keys""#)),
            ("introspectionUrl", format!(r#"{https}, "introspectionUrl": "http://id.example/introspect""#)),
        ] {
            for settings in [settings.clone(), format!(r#"{settings}, "insecureAllowHttp": false"#)] {
                let refusal = refusal(&format!(r#"{{"oidc": {{{settings}}}}}"#)).expect("it was taken");
                let expected = format!("`{name}` is not https; `insecureAllowHttp: true`");
                assert!(refusal.contains(&expected), "{refusal}");
            }
            assert_eq!(refusal(&format!(r#"{{"oidc": {{{settings}, "insecureAllowHttp": true}}}}"#)), None, "{name}");
        }
        let file = r#"{"oidc": {"issuer": "https://id.example", "audience": "x", "jwksUrl": "file:///keys", "insecureAllowHttp": true}}"#;
        assert!(refusal(file).expect("it was taken").contains("`jwksUrl` must be an https URL"));
    }

    #[test]
    fn clocks_that_differ_by_more_than_five_minutes_are_to_be_set() {
        let with =
            |leeway: &str| refusal(&format!(r#"{{"oidc": {{"issuer": "https://id.example", "audience": "x", "leeway": "{leeway}"}}}}"#));
        assert_eq!((with("0s"), with("5m")), (None, None));
        for long in ["301s", "6m", "1h"] {
            let refusal = with(long).expect("it was taken");
            assert!(refusal.contains("`leeway` is longer than 5m"), "{refusal}");
        }
    }

    #[test]
    fn what_is_no_scope_is_refused_in_every_list_of_them() {
        let settings = |more: &str| format!(r#"{{"oidc": {{"issuer": "https://a.example", "audience": "x", {more}}}}}"#);
        for scope in ["a b", r#"a\"b"#, r"a\\b", "ä", "", "a\\n"] {
            for (more, place) in [
                (format!(r#""requiredScopes": ["a", "{scope}"]"#), "requiredScopes: `requiredScopes`"),
                (format!(r#""scopes": ["a", "{scope}"]"#), "scopes: `scopes`"),
                (format!(r#""facade": {{"clientId": "c", "scopes": ["a", "{scope}"]}}"#), "facade.scopes: `scopes`"),
                (
                    format!(r#""issuers": [{{"issuer": "https://b.example", "audience": "x", "requiredScopes": ["{scope}"]}}]"#),
                    "issuers[0].requiredScopes: `requiredScopes`",
                ),
            ] {
                let refusal = refusal(&settings(&more)).expect("it was taken");
                assert!(refusal.starts_with(&format!("{place} has a scope that is empty, or with a space")), "{scope}: {refusal}");
            }
        }
        let good = r#""scopes": ["openid", "api://x/a"], "facade": {"clientId": "c", "scopes": ["https://x.example/a"]}"#;
        assert_eq!(refusal(&settings(good)), None);
        assert_eq!(refusal(&settings(r#""scopes": [], "facade": {"clientId": "c", "scopes": []}"#)), None, "nothing is asked for");
    }

    #[tokio::test]
    async fn groups_are_those_of_the_claims_that_the_settings_name_and_of_no_others() {
        let said = r#"{"active":true,"sub":"ada","aud":"vmcp","groups":["g"],"roles":["r"],"teams":["t"],"realm":{"roles":["p"]}}"#;
        for (more, expected) in [
            ("", vec!["g"]),
            (r#", "rolesClaim": "roles""#, vec!["g", "r"]),
            (r#", "groupsClaim": "teams""#, vec!["t"]),
            (r#", "groupsClaim": "teams", "rolesClaim": "realm.roles""#, vec!["t", "p"]),
            (r#", "groupsClaim": """#, vec![]),
        ] {
            let settings = format!(
                r#"{{"oidc": {{"issuer": "https://id.example.com", "audience": "vmcp", "clientId": "vmcp", "clientSecret": "s",
                    "introspectionUrl": "https://id.example.com/introspect"{more}}}}}"#
            );
            let issuer = Provider::new(move |_| (200, said.to_owned()));
            let oidc = registries().authenticators.build("oidc", &testing::settings(&settings), &issuer.deps()).unwrap();
            let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Bearer opaque"))]);
            let who = oidc.authenticate(&RequestHead::new(&headers, None)).await.unwrap();
            assert_eq!(who.groups.iter().map(|group| &**group).collect::<Vec<_>>(), expected, "{more}");
            assert_eq!(oidc.groups(&who.principal, &who.claims), who.groups, "without the token: {more}");
            let stranger = Principal { issuer: "https://elsewhere.example.com".into(), subject: "ada".into() };
            assert!(oidc.groups(&stranger, &who.claims).is_empty(), "of another issuer's callers nothing is known");
        }
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        let settings = |issuer: &str, more: &str| format!(r#"{{"oidc": {{"issuer": "{issuer}", "audience": "x"{more}}}}}"#);
        for settings in [
            settings("https://vmcp:hunter2@a.example", ""),
            settings("https://a.example", r#", "jwksUrl": "https://hunter2@a.example/keys""#),
        ] {
            let refusal = refusal(&settings).expect("it was taken");
            assert!(refusal.contains("password") && !refusal.contains("hunter2"), "{refusal}");
        }
    }
}
