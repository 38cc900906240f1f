//! Building what the configuration names by a word, and telling what is wrong with its settings where they stand.

use super::Planner;
use crate::gateway::{
    kept::Recorder,
    told::{split, with_advice},
};
use secrecy::{ExposeSecret as _, SecretSlice};
use serde_json::{Map, Value};
use std::sync::Arc;
use vmcp_core::{
    config::{Problem, index_path, key_path},
    plugin::{BuildError as PluginError, Deps, Interceptor, Misplaced, Registry},
};

impl Planner<'_> {
    pub(super) fn interceptors(&mut self) -> Vec<Arc<dyn Interceptor>> {
        let interceptors = self.config.interceptors.iter().enumerate();
        let built = interceptors.filter_map(|(index, one)| {
            self.plugin(&self.checker.plugins.interceptors, &one.kind, &one.settings, &index_path("interceptors", index), self.deps)
        });
        built.collect()
    }

    /// One plugin. Where secrets may be missing, one that lacks its secret is built without.
    pub(super) fn plugin<T: ?Sized>(
        &mut self,
        kinds: &Registry<T>,
        kind: &str,
        settings: &Map<String, Value>,
        path: &str,
        deps: &Deps,
    ) -> Option<Arc<T>> {
        let error = match kinds.build(kind, settings, deps) {
            Ok(built) => return Some(built),
            Err(error) => error,
        };
        if let PluginError::Refused(error) = &error
            && self.checker.secrets_may_be_missing
        {
            let mut deps = deps.clone();
            deps.secrets = deps.secrets.that_may_be_missing();
            if let Ok(without) = kinds.build(kind, settings, &deps) {
                for Misplaced { place, message } in kinds.refusals(kind, error).into_iter().map(|wrong| wrong.below(path)) {
                    let (message, hint) = split(&message);
                    self.absent(place, message, hint.unwrap_or("set it"));
                }
                return Some(without);
            }
        }
        self.refused(kinds, kind, path, &error);
        None
    }

    /// Tells why a plugin could not be built, at the settings that are wrong.
    pub(super) fn refused<T: ?Sized>(&mut self, kinds: &Registry<T>, kind: &str, path: &str, error: &PluginError) {
        self.problems.extend(match error {
            // What serde says may quote the value.
            PluginError::Settings { path: inner, .. } => {
                let Misplaced { place, message } = Misplaced::new(inner, "does not fit; see `vmcp schema`").below(path);
                vec![Problem::error(place, message)]
            }
            PluginError::Refused(error) => {
                let wrong = kinds.refusals(kind, error).into_iter().map(|wrong| wrong.below(path));
                wrong.map(|wrong| with_advice(&wrong.place, &wrong.message, Problem::error)).collect()
            }
            error @ PluginError::UnknownKind { .. } => vec![Problem::error(key_path(path, "type"), error.to_string())],
            other => vec![Problem::error(path, other.to_string())],
        });
    }
}

/// Dependencies for building a plugin, and what writes down what it is built from.
pub(super) fn recorded(kind: &str, settings: &Map<String, Value>, deps: &Deps) -> (Deps, Option<Recorder>) {
    let (mut deps, recorder) = (deps.clone(), Recorder::new());
    if let Some(recorder) = &recorder {
        recorder.add(kind.as_bytes());
        // Plain data, which can be written.
        recorder.add(SecretSlice::from(serde_json::to_vec(settings).unwrap_or_default()).expose_secret());
        deps.secrets = recorder.over(&deps.secrets);
    }
    (deps, recorder)
}
