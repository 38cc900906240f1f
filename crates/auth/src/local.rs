//! The authenticator for callers of this machine.

use crate::{
    NoSettings,
    at_once::{AtOnce, Knows},
};
use std::sync::Arc;
use vmcp_core::plugin::{Authenticated, Authenticator, AuthenticatorFactory, Deps, Principal, Rejected, RequestHead, StrategyError};

/// The issuer of callers of this machine.
const ISSUER: &str = "local";

/// `incomingAuth: { type: local }`: everybody on this machine, under the name of an operating-system user.
///
/// At the other end of a Unix socket the system says who that is. A loopback port tells nobody apart: whoever connects is the user that vmcp
/// runs as, by the system's name too. Callers from elsewhere are refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalFactory;

impl AuthenticatorFactory for LocalFactory {
    const KIND: &'static str = "local";
    type Config = NoSettings;

    fn build(&self, _: NoSettings, deps: &Deps) -> Result<Arc<dyn Authenticator>, StrategyError> {
        Ok(Arc::new(AtOnce(Local(user(&own(deps))))))
    }
}

/// The user that vmcp runs as. Sessions and policies hang on the name.
#[cfg(unix)]
fn own(_: &Deps) -> String {
    crate::system_user::own()
}

/// The user that vmcp runs as, by what the system writes into the environment.
#[cfg(not(unix))]
fn own(deps: &Deps) -> String {
    deps.secrets.variable("USERNAME").filter(|name| !name.is_empty()).unwrap_or_else(|| "local".to_owned())
}

struct Local(Arc<Authenticated>);

fn user(name: &str) -> Arc<Authenticated> {
    Arc::new(Authenticated::new(Principal { issuer: ISSUER.into(), subject: name.into() }))
}

impl Knows for Local {
    fn issuer(&self) -> Option<&str> {
        Some(ISSUER)
    }

    fn is_local(&self) -> bool {
        true
    }

    fn caller(&self, head: &RequestHead<'_>) -> Result<Arc<Authenticated>, Rejected> {
        match (head.local_user, head.peer) {
            (Some(name), _) if *name == *self.0.principal.subject => Ok(Arc::clone(&self.0)),
            (Some(name), _) => Ok(user(name)),
            (None, Some(peer)) if !peer.to_canonical().is_loopback() => {
                Err(Rejected::unauthorized("only callers of this machine are let in", None))
            }
            (None, _) => Ok(Arc::clone(&self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use http::HeaderMap;
    use std::{io, net::IpAddr};
    use vmcp_core::plugin::Secrets;

    /// The authenticator of a vmcp whose environment says something else of its user.
    fn local() -> Arc<dyn Authenticator> {
        let secrets = Secrets::new(|_| Some("mallory".to_owned()), |_| Err(io::ErrorKind::NotFound.into()));
        LocalFactory.build(NoSettings {}, &Deps::new(testing::deps().fetch, secrets)).unwrap()
    }

    fn asked(authenticator: &dyn Authenticator, peer: Option<&str>, name: Option<&str>) -> Option<String> {
        let headers = HeaderMap::new();
        let mut head = RequestHead::new(&headers, peer.map(|peer| peer.parse::<IpAddr>().unwrap()));
        head.local_user = name;
        let answer = testing::now(authenticator.authenticate(&head)).ok();
        assert_eq!(authenticator.known(&head).is_some(), answer.is_some());
        answer.map(|who| format!("{}/{}", who.principal.issuer, who.principal.subject))
    }

    #[test]
    fn callers_of_this_machine_are_users_of_it_and_others_are_nobody() {
        let authenticator = local();
        let me = asked(&*authenticator, None, None).unwrap();
        #[cfg(unix)]
        assert_eq!(me, format!("local/{}", crate::system_user::own()));
        let me = Some(me.as_str());
        assert!(authenticator.is_local() && !authenticator.is_anonymous() && authenticator.consumed_headers().is_empty());
        for (peer, name, who) in [
            (None, None, me),
            (Some("127.0.0.1"), None, me),
            (Some("::1"), None, me),
            (Some("::ffff:127.0.0.1"), None, me),
            (None, me.and_then(|me| me.strip_prefix("local/")), me),
            (None, Some("somebody"), Some("local/somebody")),
            (Some("192.168.0.7"), None, None),
            (Some("::ffff:10.0.0.1"), None, None),
        ] {
            assert_eq!(asked(&*authenticator, peer, name).as_deref(), who, "{peer:?} {name:?}");
        }
    }
}
