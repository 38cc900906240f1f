//! The resources and tasks that one subscription hears of: what backends call them, and what its caller does.

use super::{audience::Audience, told::Told};
use crate::lane::{Began, Owned};
use bytes::Bytes;
use std::{borrow::Cow, collections::HashMap, sync::Arc};
use vmcp_backend::Unheard;
use vmcp_core::frame::{Edit, RawObject, json_string};

/// What a subscription hears of, each under the backend's name for it.
#[derive(Default)]
pub(crate) struct Heard {
    /// Who hears it, where not everybody may read everything.
    audience: Option<Audience>,
    backends: HashMap<usize, Names>,
}

#[derive(Default)]
struct Names {
    /// The backend's URI, and the caller's.
    resources: HashMap<Box<str>, Box<str>>,
    /// The backend's id, the caller's, and the call that became the task.
    tasks: HashMap<Box<str>, (Box<str>, Arc<Began>)>,
}

impl Heard {
    /// What is heard by this audience: nothing yet.
    pub(crate) fn by(audience: Option<Audience>) -> Self {
        Self { audience, ..Self::default() }
    }

    /// A resource that is followed.
    pub(crate) fn resource(&mut self, owned: &Owned) {
        self.insert(owned.backend.index(), &owned.theirs, &owned.ours);
    }

    fn insert(&mut self, backend: usize, theirs: &str, ours: &str) {
        self.backends.entry(backend).or_default().resources.insert(theirs.into(), ours.into());
    }

    /// `theirs` is the backend's id, `ours` the caller's.
    pub(crate) fn task(&mut self, backend: usize, theirs: &str, ours: &str, began: Began) {
        self.backends.entry(backend).or_default().tasks.insert(theirs.into(), (ours.into(), Arc::new(began)));
    }

    /// The call that became the task which a notification of tasks is about.
    pub(super) fn began(&self, backend: usize, params: &Bytes) -> Option<Arc<Began>> {
        let params = RawObject::parse(std::str::from_utf8(params).ok()?).ok()?;
        let (_, began) = self.backends.get(&backend)?.tasks.get(&*params.get_str("taskId")?)?;
        Some(Arc::clone(began))
    }

    /// The backend does not tell of this.
    pub(crate) fn remove(&mut self, backend: usize, unheard: &Unheard) {
        if let Some(names) = self.backends.get_mut(&backend) {
            match unheard {
                Unheard::Resource(uri) => names.resources.remove(uri).map(|_| ()),
                Unheard::Task(id) => names.tasks.remove(id).map(|_| ()),
            };
        }
    }

    /// The URIs and the ids of tasks that are heard of, as the caller knows them.
    pub(super) fn ours(&self) -> (Vec<&str>, Vec<&str>) {
        let all = || self.backends.values();
        let mut resources: Vec<&str> = all().flat_map(|names| names.resources.values()).map(|ours| &**ours).collect();
        let mut tasks: Vec<&str> = all().flat_map(|names| names.tasks.values()).map(|(ours, _)| &**ours).collect();
        resources.sort_unstable();
        tasks.sort_unstable();
        (resources, tasks)
    }

    /// A backend's notification as the caller is told it, for the subscription whose `_meta` member is `tag`: its key and JSON text.
    /// `None` where this subscription did not ask for it. 2026-07-28, basic/patterns/subscriptions; SEP-2663.
    pub(super) fn translated(&self, backend: usize, method: &str, params: &Bytes, tag: (&str, &str)) -> Option<String> {
        let names = self.backends.get(&backend)?;
        let params = RawObject::parse(std::str::from_utf8(params).ok()?).ok()?;
        let (member, ours) = match method {
            "notifications/resources/updated" => {
                let resources = names.resources.iter().map(|(theirs, ours)| (&**theirs, &**ours));
                let told = Told::of(&params.get_str("uri")?, resources)?;
                // Whoever may read what is followed may not read each of its parts.
                if self.audience.as_ref().is_some_and(|audience| !audience.hears_of_own(backend, &told)) {
                    return None;
                }
                ("uri", Cow::Owned(told.into_uri()))
            }
            "notifications/tasks" => ("taskId", Cow::Borrowed(&*names.tasks.get(&*params.get_str("taskId")?)?.0)),
            _ => return None,
        };
        let meta = params.get_object("_meta").unwrap_or(RawObject::parse("{}").ok()?);
        let meta = text(|out| meta.write(&[Edit::Set(tag.0, tag.1)], out))?;
        let ours = text(|out| json_string(&ours, out))?;
        text(|out| params.write(&[Edit::Set(member, &ours), Edit::Set("_meta", &meta)], out))
    }
}

fn text(write: impl FnOnce(&mut Vec<u8>)) -> Option<String> {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: (&str, &str) = ("io.modelcontextprotocol/subscriptionId", "\"mine\"");

    fn heard() -> Heard {
        let mut heard = Heard::default();
        heard.insert(0, "ui://page", "ui://b/page");
        heard.insert(0, "note://all", "note://all");
        heard.task(0, "1", "sealed", Began { backend: "b".into(), tool: "b_job".into() });
        heard
    }

    fn told(backend: usize, method: &str, params: &'static str) -> Option<String> {
        heard().translated(backend, method, &Bytes::from_static(params.as_bytes()), TAG)
    }

    #[test]
    fn what_is_told_has_the_callers_names_and_the_callers_subscription() {
        assert_eq!(
            told(
                0,
                "notifications/resources/updated",
                r#"{"x":1.0,"uri":"ui://page","_meta":{"io.modelcontextprotocol/subscriptionId":7,"y":2}}"#
            )
            .unwrap(),
            r#"{"x":1.0,"uri":"ui://b/page","_meta":{"io.modelcontextprotocol/subscriptionId":"mine","y":2}}"#
        );
        assert_eq!(
            told(0, "notifications/tasks", r#"{"taskId":"1","status":"working"}"#).unwrap(),
            r#"{"taskId":"sealed","status":"working","_meta":{"io.modelcontextprotocol/subscriptionId":"mine"}}"#
        );
    }

    #[test]
    fn parts_of_a_resource_are_told_and_what_only_begins_like_it_is_not() {
        let part = told(0, "notifications/resources/updated", r#"{"uri":"note://all/1"}"#).unwrap();
        assert!(part.contains(r#""uri":"note://all/1""#), "{part}");
        assert_eq!(told(0, "notifications/resources/updated", r#"{"uri":"note://all-of-them"}"#), None);
    }

    #[test]
    fn nothing_is_told_that_was_not_asked_for() {
        for (backend, method, params) in [
            (1, "notifications/resources/updated", r#"{"uri":"note://all"}"#),
            (0, "notifications/resources/updated", r#"{"uri":"note://other"}"#),
            (0, "notifications/resources/updated", "{}"),
            (0, "notifications/tasks", r#"{"taskId":"2"}"#),
            (0, "notifications/message", r#"{"level":"error","data":1}"#),
        ] {
            assert_eq!(told(backend, method, params), None, "{method} {params}");
        }
        let mut heard = heard();
        heard.remove(0, &Unheard::Task("1".into()));
        assert_eq!(heard.ours(), (vec!["note://all", "ui://b/page"], vec![]));
    }
}
