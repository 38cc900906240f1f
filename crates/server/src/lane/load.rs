//! A request that is to be carried: whose it is, and what it is about.

use super::{
    Caller,
    carried::{Carried, Subject},
    route::Sought,
};
use crate::{admission::Asks, failure::Failure, views::ViewerKey};
use std::borrow::Cow;
use vmcp_core::frame::RawObject;

/// A request that is to be carried.
pub(crate) struct Load<'a> {
    pub(super) caller: &'a Caller,
    pub(super) carried: Carried,
    pub(super) subject: Subject,
    /// The caller's name or URI for it.
    pub(super) name: Cow<'a, str>,
    /// The parameters as they are to be sent.
    pub(super) params: &'a RawObject<'a>,
    /// What its caller wants of the subject, for whoever decides whether it may.
    pub(super) asks: Asks<'a>,
    /// The parameters as the caller sent them; interceptors may have made others of them.
    own: &'a RawObject<'a>,
}

impl<'a> Load<'a> {
    /// A request as its caller sent it.
    ///
    /// # Errors
    /// When the parameters do not say what it is about, or are none that its method takes.
    pub(crate) fn new(caller: &'a Caller, carried: Carried, params: &'a RawObject<'a>) -> Result<Self, Failure> {
        let (subject, name) = carried.subject(params)?;
        Ok(Self { caller, carried, subject, name, params, asks: carried.asks(params)?, own: params })
    }

    /// The same request with other parameters.
    ///
    /// # Errors
    /// When they are none that its method takes.
    pub(super) fn with_params<'b>(&'b self, params: &'b RawObject<'b>) -> Result<Load<'b>, Failure> {
        let Self { caller, carried, subject, own, .. } = *self;
        Ok(Load { caller, carried, subject, name: Cow::Borrowed(&self.name), params, asks: carried.asks(params)?, own })
    }

    /// What it is about, as its caller sees it there.
    pub(super) fn sought<'b>(&'b self, key: &'b ViewerKey) -> Sought<'b> {
        Sought { caller: self.caller, key, subject: self.subject, name: &self.name, asks: self.asks }
    }

    /// The arguments as the caller sent them.
    pub(super) fn own_arguments(&self) -> Option<&'a str> {
        self.own.get("arguments")
    }

    /// The arguments that go out, where interceptors made others of the caller's own.
    pub(super) fn changed_arguments(&self) -> Option<&'a str> {
        self.params.get("arguments").filter(|sent| self.own_arguments() != Some(sent))
    }

    /// The member of the parameters that holds the arguments.
    pub(super) fn member_of_arguments(&self) -> Option<&'static str> {
        match (self.carried, self.subject) {
            (Carried::Complete, _) => Some("argument"),
            (_, Subject::Tool | Subject::Prompt) => Some("arguments"),
            _ => None,
        }
    }
}
