//! Interceptors on the way of a call: before it goes to its backend, and before its result goes to the caller, whenever that is.

use super::{Began, Carried, Given, Journal, Load, Requester, Unanswered, unambiguous::check_unambiguous};
use crate::{failure::Failure, gateway::Snapshot, session::OnProgress};
use bytes::Bytes;
use serde_json::value::RawValue;
use std::{future::Future, sync::Arc, time::Duration};
use tokio::time::timeout;
use vmcp_auth::Identity;
use vmcp_core::{
    frame::{Edit, RawObject},
    plugin::{Call, Interceptor, Verdict},
};

/// The member of what is told of a task that holds the result of its call (SEP-2663).
const RESULT: &str = "result";
/// An interceptor is not waited for longer than this: then the call fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A caller whose request was compared with its headers already, as it was sent: what interceptors made of it needs no such headers.
struct Compared<'a, R>(&'a R);

impl<R: Requester> Requester for Compared<'_, R> {
    async fn notified(&self, message: Bytes) {
        self.0.notified(message).await;
    }

    async fn ask(&self, method: &str, params: &[u8], on_progress: Option<OnProgress>) -> Result<Given, Unanswered> {
        self.0.ask(method, params, on_progress).await
    }
}

impl Snapshot {
    /// Carries a request past the interceptors. What they make of it is authorized like what a caller sends.
    pub(super) async fn intercepted(&self, load: &Load<'_>, requester: &impl Requester, journal: &mut Journal) -> Result<Bytes, Failure> {
        let Load { caller, carried, params, .. } = *load;
        let name = &*load.name;
        let key = self.key(&caller.viewer());
        // Decided as its caller sends it: no interceptor learns of what its caller may not do, and none can make it something that the
        // caller may. Where one changes the arguments, those that go out are decided too, since policies are about what a backend gets.
        let route = self.route(&load.sought(&key)).await?;
        check_unambiguous(params, &route.param_headers)?;
        requester.check_mirrored(params, &route.param_headers)?;
        let Some(backend) = self.backends.get(route.backend) else { return Err(Failure::unknown("tool", name)) };
        journal.owner(backend.name());
        let member = load.member_of_arguments();
        let own = member.and_then(|member| params.get(member)).map(ToOwned::to_owned);
        let mut arguments = own.map(RawValue::from_string).transpose().map_err(|_| Failure::invalid_params("the arguments are no JSON"))?;
        let mut is_changed = false;
        let identity = &caller.identity;
        let call = Call::new(identity.principal(), identity.claims(), backend.name(), carried.method(), name);
        for interceptor in &*self.interceptors {
            if !interceptor.sees_calls() {
                continue;
            }
            let verdict = patiently(interceptor.before(&call.with_arguments(arguments.as_deref()))).await?;
            match verdict {
                Verdict::Go => {}
                Verdict::Change(new) if member.is_some() && new.get().starts_with('{') => (arguments, is_changed) = (Some(new), true),
                Verdict::Refuse(why) => return Err(Failure::refused(&why)),
                _ => return Err(Failure::internal("an interceptor gave no arguments that the method takes")),
            }
        }
        let result = match (is_changed, member, &arguments) {
            (true, Some(member), Some(arguments)) => {
                let mut text = Vec::with_capacity(params.text().len() + arguments.get().len());
                params.write(&[Edit::Set(member, arguments.get())], &mut text);
                let text = String::from_utf8(text).map_err(|_| Failure::internal("an interceptor's arguments are not UTF-8"))?;
                let params = RawObject::parse(&text).map_err(|error| Failure::invalid_params(&error.to_string()))?;
                Box::pin(self.carry_on(&load.with_params(&params)?, None, &Compared(requester), journal)).await?
            }
            _ => Box::pin(self.carry_on(load, Some(route), &Compared(requester), journal)).await?,
        };
        seen(&self.interceptors, &call.with_arguments(arguments.as_deref()), result).await
    }
}

/// Shows a result to the interceptors, the last one of them first.
async fn seen(interceptors: &[Arc<dyn Interceptor>], call: &Call<'_>, result: Bytes) -> Result<Bytes, Failure> {
    let looking: Vec<_> = interceptors.iter().rev().filter(|interceptor| interceptor.sees_results()).collect();
    if looking.is_empty() {
        return Ok(result);
    }
    let text = String::from_utf8(result.into()).map_err(|_| Failure::internal("the backend's result is not UTF-8"))?;
    let mut result = RawValue::from_string(text).map_err(|_| Failure::internal("the backend's result is no JSON"))?;
    for interceptor in looking {
        match patiently(interceptor.after(call, &result)).await? {
            Verdict::Go => {}
            Verdict::Change(new) if new.get().starts_with('{') => result = new,
            Verdict::Refuse(why) => return Err(Failure::refused(&why)),
            _ => return Err(Failure::internal("an interceptor gave no object for a result")),
        }
    }
    Ok(Box::<str>::from(result).into_boxed_bytes().into_vec().into())
}

/// Who looks at the results that become known after their calls: those of tasks.
pub(crate) struct Onlooker<'a> {
    interceptors: &'a [Arc<dyn Interceptor>],
    caller: &'a Identity,
}

impl<'a> Onlooker<'a> {
    /// `None` where nobody looks at results.
    pub(crate) fn new(interceptors: &'a [Arc<dyn Interceptor>], caller: &'a Identity) -> Option<Self> {
        interceptors.iter().any(|interceptor| interceptor.sees_results()).then_some(Self { interceptors, caller })
    }

    /// What is told of a task, for its caller: interceptors see its result first, as that of the call that became the task. Of what has no
    /// result there is nothing to see.
    pub(crate) async fn seen(&self, began: &Began, told: Bytes) -> Result<Bytes, Failure> {
        let text = std::str::from_utf8(&told).map_err(|_| Failure::internal("what the backend tells of a task is not UTF-8"))?;
        let object = RawObject::parse(text).map_err(|_| Failure::internal("what the backend tells of a task is no object"))?;
        let Some(own) = object.get(RESULT) else { return Ok(told) };
        let call = Call::new(self.caller.principal(), self.caller.claims(), &began.backend, Carried::ToolsCall.method(), &began.tool);
        let result = seen(self.interceptors, &call, Bytes::copy_from_slice(own.as_bytes())).await?;
        if result == own {
            return Ok(told);
        }
        let result = std::str::from_utf8(&result).map_err(|_| Failure::internal("an interceptor's result is not UTF-8"))?;
        let mut changed = Vec::with_capacity(text.len() + result.len());
        object.write(&[Edit::Set(RESULT, result)], &mut changed);
        Ok(changed.into())
    }
}

/// Whether what is told of a task has the result of its call in it.
pub(crate) fn has_result(told: &str) -> bool {
    RawObject::parse(told).is_ok_and(|told| told.get(RESULT).is_some())
}

async fn patiently(verdict: impl Future<Output = Verdict>) -> Result<Verdict, Failure> {
    timeout(PATIENCE, verdict).await.map_err(|_| Failure::internal("an interceptor did not decide in time"))
}
