//! Deciding one thing, and remembering what was decided.

use super::{
    digest::of_identity,
    grant::Grant,
    item::{Asks, Item, wanders},
    shown::Shown,
};
use serde_json::{Map, Value};
use std::{sync::Arc, time::Duration};
use vmcp_auth::Identity;
use vmcp_core::{
    PartsHasher,
    frame::RawObject,
    plugin::{Action, Authorizer, Principal, Question},
};

/// How many decisions about calls are kept, and how many callers.
const CALLS: u64 = 100_000;
const GRANTS: u64 = 50_000;
/// How long what nobody asks for is kept.
const IDLE: Duration = Duration::from_secs(900);

/// What callers may see and do at the endpoints of one configuration.
pub(crate) struct Admission {
    authorizer: Arc<dyn Authorizer>,
    /// The endpoint's name, and the backends'.
    server: Arc<str>,
    backends: Vec<Arc<str>>,
    grants: moka::sync::Cache<[u8; 16], Arc<Grant>>,
    calls: moka::sync::Cache<[u8; 16], bool>,
    pub(super) shown: Shown,
}

/// Why something cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// The caller may not, and is not to know that it exists.
    Unknown,
    /// The caller may with some arguments, but these say two things at once.
    Ambiguous,
}

/// The caller, as an authorizer sees it.
#[derive(Clone, Copy)]
pub(super) struct Who<'a> {
    pub(super) principal: &'a Principal,
    pub(super) claims: &'a Map<String, Value>,
    pub(super) groups: &'a [Arc<str>],
}

impl Admission {
    pub(crate) fn new(authorizer: Arc<dyn Authorizer>, server: &str, backends: Vec<Arc<str>>) -> Arc<Self> {
        Arc::new(Self {
            authorizer,
            server: server.into(),
            backends,
            grants: moka::sync::Cache::builder().max_capacity(GRANTS).time_to_idle(IDLE).build(),
            calls: moka::sync::Cache::builder().max_capacity(CALLS).time_to_idle(IDLE).build(),
            shown: Shown::new(),
        })
    }

    /// Whether decisions about calls read their arguments.
    pub(crate) fn reads_arguments(&self) -> bool {
        self.authorizer.reads_arguments()
    }

    /// Whom lists of this caller are made for.
    pub(crate) fn grant(&self, caller: &Identity) -> Arc<Grant> {
        let digest = of_identity(caller);
        self.grants.get_with(digest, || Arc::new(Grant::new(digest, caller)))
    }

    /// Decides whether a caller may do what it asks for.
    pub(crate) fn check(&self, caller: &Identity, item: &Item<'_>, asks: Asks<'_>) -> Result<(), Denied> {
        let who = Who { principal: caller.principal(), claims: caller.claims(), groups: caller.groups() };
        let told = |is_allowed: bool| if is_allowed { Ok(()) } else { Err(Denied::Unknown) };
        if let (Asks::Call(text), true) = (asks, self.reads_arguments()) {
            let Some(arguments) = unambiguous(text) else {
                // Nobody learns from it that something exists.
                let is_visible = self.is_allowed(who, item, None, false);
                return Err(if is_visible { Denied::Ambiguous } else { Denied::Unknown });
            };
            return told(self.is_allowed(who, item, Some(&arguments), true));
        }
        let is_call = matches!(asks, Asks::Call(_));
        let mut key = PartsHasher::new();
        key.part(&of_identity(caller)).part(&item.here.id).part(&[item.action as u8, u8::from(is_call)]);
        key.part(&item.backend.to_le_bytes()).part(item.name.as_bytes()).part(item.called.as_bytes());
        told(self.calls.get_with(key.finish(), || self.is_allowed(who, item, None, is_call)))
    }

    /// Whether whoever follows resources may be told of one, which policies know by this URI: where reading it is allowed.
    pub(crate) fn may_hear(&self, grant: &Grant, backend: usize, uri: &str) -> bool {
        let who = Who { principal: &grant.principal, claims: &grant.claims, groups: &grant.groups };
        self.decide(who, (Action::ReadResource, backend, uri), None, None, false)
    }

    fn is_allowed(&self, who: Who<'_>, item: &Item<'_>, arguments: Option<&Map<String, Value>>, is_call: bool) -> bool {
        let tool = (item.action == Action::CallTool).then(|| item.here.catalogue.listed_tool(item.called)).flatten();
        let annotations = tool.and_then(|tool| tool.annotations());
        self.decide(who, (item.action, item.backend, item.name), annotations.as_ref(), arguments, is_call)
    }

    /// Asks the authorizer.
    pub(super) fn decide(
        &self,
        who: Who<'_>,
        (action, backend, name): (Action, usize, &str),
        annotations: Option<&Map<String, Value>>,
        arguments: Option<&Map<String, Value>>,
        is_call: bool,
    ) -> bool {
        let Some(backend) = self.backends.get(backend) else { return false };
        if action == Action::ReadResource && wanders(name) {
            return false;
        }
        let mut question = Question::new(who.principal, who.claims, action, name);
        (question.server, question.backend, question.groups) = (&self.server, backend, who.groups);
        (question.annotations, question.arguments, question.is_call) = (annotations, arguments, is_call);
        let decision = self.authorizer.decide(&question);
        if !decision.is_allowed && is_call {
            let (policies, errors) = (decision.reasons.join(", "), decision.errors.join("; "));
            tracing::debug!(?action, backend = &**backend, policies, errors, "a call was denied");
        }
        decision.is_allowed
    }
}

/// A call's arguments. `None` where a key stands twice, or a text is none (half of a character): whoever decides could see another value
/// than whoever acts. A number beyond all that can be computed with is the greatest or smallest that can, and what has one in it is empty.
fn unambiguous(text: Option<&str>) -> Option<Map<String, Value>> {
    let Some(text) = text else { return Some(Map::new()) };
    let object = RawObject::parse(text).ok()?;
    let read = |text: &str| match text.as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => Some(number(text)),
        Some(b'[') => Some(serde_json::from_str(text).unwrap_or_else(|_| Value::Array(Vec::new()))),
        Some(b'{') => Some(serde_json::from_str(text).unwrap_or_else(|_| Value::Object(Map::new()))),
        _ => serde_json::from_str(text).ok(),
    };
    object.members().iter().map(|member| Some((member.key().to_owned(), read(member.value())?))).collect()
}

/// A number to the letter: the nearest double, where it is no whole number of 64 bits. `serde_json` may be off by one there.
fn number(text: &str) -> Value {
    let whole = text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from));
    whole.unwrap_or_else(|_| text.parse::<f64>().map_or(Value::Null, |double| Value::from(double.clamp(f64::MIN, f64::MAX))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn arguments_are_read_as_they_are_sent_and_only_if_they_say_one_thing() {
        let read = |text: &str| unambiguous(Some(text)).map(Value::Object);
        assert_eq!(
            read(r#"{"a":1,"b":{"a":[1]},"c":1e400,"f":-1e400,"d":{"x":1e400},"e":[1e400]}"#),
            Some(json!({"a": 1, "b": {"a": [1]}, "c": f64::MAX, "f": f64::MIN, "d": {}, "e": []}))
        );
        for text in ["9007199254740991.0", "9007199254740991.0000", "9007199254740991e0", "900719925474099.1e1"] {
            assert_eq!(number(text), json!(9_007_199_254_740_991_f64), "{text}");
        }
        assert_eq!((number("-0"), number("18446744073709551615")), (json!(0), json!(u64::MAX)));
        assert_eq!(unambiguous(None), Some(Map::new()));
        assert_eq!(read(r#"{"a":1,"\u0061":2}"#), None);
        assert_eq!(read(r#"{"a":"x\ud800"}"#), None);
        assert_eq!(read(r#"{"a":["\ud800"],"b":"\ud83d\ude00"}"#), Some(json!({"a": [], "b": "😀"})));
        assert_eq!(read("[]"), None);
    }
}
