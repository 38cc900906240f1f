use super::*;
use crate::{Gateway, lane::Carried};
use vmcp_auth::{Identity, NoSettings};
use vmcp_core::{
    CapabilitySet,
    plugin::{Authorizer, AuthorizerFactory, Decision, Deps, Question, StrategyError},
};

/// Everybody may do everything; it looks at arguments or does not.
struct House<const READS: bool>;

impl<const READS: bool> AuthorizerFactory for House<READS> {
    const KIND: &'static str = "house";
    type Config = NoSettings;

    fn build(&self, _: NoSettings, _: &Deps) -> Result<Arc<dyn Authorizer>, StrategyError> {
        Ok(Arc::new(Self))
    }
}

impl<const READS: bool> Authorizer for House<READS> {
    fn reads_arguments(&self) -> bool {
        READS
    }

    fn decide(&self, _: &Question<'_>) -> Decision {
        Decision::new(true)
    }
}

/// What becomes of a call's arguments, of which interceptors made these: whether they are kept, or there is no room for them.
fn kept<const READS: bool>(sent: &str, is_full: bool) -> Result<bool, Failure> {
    let config = serde_json::json!({
        "backends": [{ "name": "b", "url": "http://127.0.0.1:1/mcp" }],
        "incomingAuth": { "type": "anonymous", "authz": { "type": "house" } },
    });
    let gateway = Gateway::builder(serde_json::from_value(config).unwrap()).authorizer(House::<READS>).build().unwrap();
    let snapshot = gateway.inner.snapshot();
    let _taken = is_full.then(|| snapshot.parking.room(table::ASKED));
    let (identity, capabilities) = (Identity::anonymous(), CapabilitySet::NONE);
    let caller = Caller { identity, era: Era::Modern, capabilities, log_level: None, session: None };
    let (own, sent) = (r#"{"name":"b_x","arguments":{}}"#, format!(r#"{{"name":"b_x","arguments":{sent}}}"#));
    let (own, sent) = (RawObject::parse(own).unwrap(), RawObject::parse(&sent).unwrap());
    let load = Load::new(&caller, Carried::ToolsCall, &own).unwrap();
    snapshot.keep_sent(&load.with_params(&sent).unwrap()).map(|kept| kept.is_some())
}

#[tokio::test]
async fn arguments_take_room_only_where_decisions_read_them_and_interceptors_changed_them() {
    let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(100_000));
    assert!(kept::<true>(&long, false).unwrap());
    assert!(!kept::<true>("{}", false).unwrap(), "they are the caller's own, which come again");
    assert!(kept::<true>(&long, true).is_err(), "there is no room left");
    for is_full in [false, true] {
        assert!(!kept::<false>(&long, is_full).unwrap(), "nobody asks about them again");
    }
}
