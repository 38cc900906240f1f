//! Interceptors: what looks at calls on their way.

use super::{BoxFuture, Deps, Principal, StrategyError};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, value::RawValue};
use std::sync::Arc;

/// Sees calls before they go to their backend and results before they go to the caller; may refuse or change either. It runs after
/// authorization: what a caller may not do is not shown to it, and what it makes of arguments is authorized again. It is asked about
/// `tools/call`, `resources/read`, `prompts/get` and `completion/complete`, whichever way they come.
///
/// A call that becomes a task (SEP-2663) has two results: the first names the task, `resultType: task`. The other is known later and shown
/// whenever it is collected, without the call's arguments, which are not kept. A call that asks its caller for input comes again with the
/// answers: it is shown again, and what it asks for is a result with `resultType: input_required`.
pub trait Interceptor: Send + Sync + 'static {
    /// Whether [`Self::before`] is to be asked.
    fn sees_calls(&self) -> bool {
        true
    }

    /// Whether [`Self::after`] is to be asked: then results are read as a whole before the caller gets them.
    fn sees_results(&self) -> bool {
        true
    }

    /// Before a call. [`Verdict::Change`] holds the new arguments.
    fn before<'a>(&'a self, _call: &'a Call<'a>) -> BoxFuture<'a, Verdict> {
        Box::pin(std::future::ready(Verdict::Go))
    }

    /// After a call that the backend answered with a result. [`Verdict::Change`] holds the new result. The result of a task that is
    /// refused is not told of in notifications, and an error to who asks for it.
    fn after<'a>(&'a self, _call: &'a Call<'a>, _result: &'a RawValue) -> BoxFuture<'a, Verdict> {
        Box::pin(std::future::ready(Verdict::Go))
    }
}

/// A call on its way.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Call<'a> {
    /// Who calls.
    pub principal: &'a Principal,
    /// The caller's claims.
    pub claims: &'a Map<String, Value>,
    /// The backend that it goes to.
    pub backend: &'a str,
    /// The method.
    pub method: &'a str,
    /// What is called: the name of a tool or prompt, or a URI, as clients know it.
    pub name: &'a str,
    /// The arguments as the backend will get them; `None` for the result of a task too.
    pub arguments: Option<&'a RawValue>,
}

impl<'a> Call<'a> {
    /// A call without arguments.
    #[must_use]
    pub fn new(principal: &'a Principal, claims: &'a Map<String, Value>, backend: &'a str, method: &'a str, name: &'a str) -> Self {
        Self { principal, claims, backend, method, name, arguments: None }
    }

    /// The same call with these arguments.
    #[must_use]
    pub fn with_arguments<'b>(&self, arguments: Option<&'b RawValue>) -> Call<'b>
    where
        'a: 'b,
    {
        Call { arguments, ..*self }
    }
}

/// What becomes of a call or a result.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// It goes on as it is.
    Go,
    /// It goes on with this in its place.
    Change(Box<RawValue>),
    /// It ends here, with these words for the caller.
    Refuse(String),
}

/// Builds interceptors of one kind.
pub trait InterceptorFactory: Send + Sync + 'static {
    /// The word behind `type` of an entry of `interceptors`.
    const KIND: &'static str;
    /// The settings, which stand beside `type` under the same word in camel case.
    type Config: DeserializeOwned + JsonSchema;

    /// Builds an interceptor.
    ///
    /// # Errors
    /// When the settings cannot work; the message says what to change.
    fn build(&self, config: Self::Config, deps: &Deps) -> Result<Arc<dyn Interceptor>, StrategyError>;
}
