//! From `type: word` in the configuration to a built plugin.

use super::{
    Authenticator, AuthenticatorFactory, Authorizer, AuthorizerFactory, Deps, Interceptor, InterceptorFactory, Misplaced, OutgoingStrategy,
    StrategyError, StrategyFactory,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, sync::Arc};

type Build<T> = Box<dyn Fn(Value, &Deps) -> Result<Arc<T>, BuildError> + Send + Sync>;

struct Entry<T: ?Sized> {
    build: Build<T>,
    schema: fn(&mut SchemaGenerator) -> Schema,
    place: Place,
    is_fixed: bool,
}

/// Where the settings of a kind stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Under the kind's own key.
    Under,
    /// Beside `type`.
    Beside,
}

/// The kinds of one seam, by the word that the configuration uses.
pub struct Registry<T: ?Sized> {
    seam: &'static str,
    kinds: BTreeMap<&'static str, Entry<T>>,
}

/// Why a plugin could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// No factory for that word.
    #[error("unknown {seam} `{kind}`; known: {known}")]
    UnknownKind {
        /// What is being built.
        seam: &'static str,
        /// The word in the configuration.
        kind: String,
        /// The words that would do.
        known: String,
    },
    /// Two factories for one word.
    #[error("{seam} `{kind}` is registered twice")]
    Duplicate {
        /// What is being built.
        seam: &'static str,
        /// The word.
        kind: &'static str,
    },
    /// The settings do not fit.
    #[error("{path}: {message}")]
    Settings {
        /// Where, below the plugin's own object, starting with its key if it has one (`headerInjection.headerName`).
        path: String,
        /// What is wrong.
        message: String,
    },
    /// The factory refused.
    #[error(transparent)]
    Refused(#[from] StrategyError),
}

/// The key under which a kind's settings stand: the kind in camel case (`header_injection` → `headerInjection`).
#[must_use]
pub fn config_key(kind: &str) -> String {
    let mut key = String::with_capacity(kind.len());
    let mut upper = false;
    for c in kind.chars() {
        if c == '_' {
            upper = true;
        } else if upper {
            key.push(c.to_ascii_uppercase());
            upper = false;
        } else {
            key.push(c);
        }
    }
    key
}

impl<T: ?Sized> Registry<T> {
    /// A registry without kinds. `seam` names what it builds, in messages.
    #[must_use]
    pub fn new(seam: &'static str) -> Self {
        Self { seam, kinds: BTreeMap::new() }
    }

    /// The registered words, sorted.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.kinds.keys().copied()
    }

    /// The schema of one kind's settings.
    pub fn schema(&self, kind: &str, generator: &mut SchemaGenerator) -> Option<Schema> {
        self.kinds.get(kind).map(|entry| (entry.schema)(generator))
    }

    /// Whether what this kind gives is known when it is built, so that it cannot fail later.
    #[must_use]
    pub fn is_fixed(&self, kind: &str) -> bool {
        self.kinds.get(kind).is_some_and(|entry| entry.is_fixed)
    }

    /// Whether the settings of the kinds stand beside `type`, and not under a key of their own.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.kinds.values().any(|entry| entry.place == Place::Beside)
    }

    /// Builds the plugin that `kind` names from `settings`: the members that stand beside `type`. Unless the settings are these members
    /// themselves, only the kind's own key ([`config_key`]) may be there.
    ///
    /// # Errors
    /// Names the unknown kind with the known ones, or the place in the settings.
    pub fn build(&self, kind: &str, settings: &Map<String, Value>, deps: &Deps) -> Result<Arc<T>, BuildError> {
        let entry = self.kinds.get(kind).ok_or_else(|| BuildError::UnknownKind {
            seam: self.seam,
            kind: kind.to_owned(),
            known: self.kinds.keys().copied().collect::<Vec<_>>().join(", "),
        })?;
        if entry.place == Place::Beside {
            return (entry.build)(Value::Object(settings.clone()), deps);
        }
        let key = config_key(kind);
        if let Some(foreign) = settings.keys().find(|k| **k != key) {
            return Err(BuildError::Settings {
                path: foreign.clone(),
                message: format!("not a setting of `{kind}`; its settings stand under `{key}`"),
            });
        }
        let own = settings.get(&key).cloned().unwrap_or_else(|| Value::Object(Map::new()));
        (entry.build)(own, deps)
    }

    /// Where the settings are that a factory of this kind refused, below the object in which `type` stands, and what is wrong with each.
    #[must_use]
    pub fn refusals(&self, kind: &str, error: &StrategyError) -> Vec<Misplaced> {
        let is_under = self.kinds.get(kind).is_some_and(|entry| entry.place == Place::Under);
        let key = config_key(kind);
        let told = match error {
            StrategyError::Settings(wrong) => wrong.clone(),
            other => vec![Misplaced::new("", other.to_string())],
        };
        told.into_iter().map(|wrong| if is_under { wrong.below(&key) } else { wrong }).collect()
    }

    fn insert<C>(
        &mut self,
        kind: &'static str,
        place: Place,
        build: impl Fn(C, &Deps) -> Result<Arc<T>, StrategyError> + Send + Sync + 'static,
    ) -> Result<(), BuildError>
    where
        C: DeserializeOwned + JsonSchema,
    {
        if self.kinds.contains_key(kind) {
            return Err(BuildError::Duplicate { seam: self.seam, kind });
        }
        let build: Build<T> = Box::new(move |value, deps| {
            let config = serde_path_to_error::deserialize(value).map_err(|error| BuildError::Settings {
                path: settings_path(kind, place, &error.path().to_string()),
                message: error.inner().to_string(),
            })?;
            Ok(build(config, deps)?)
        });
        self.kinds.insert(kind, Entry { build, schema: |generator| generator.subschema_for::<C>(), place, is_fixed: false });
        Ok(())
    }
}

fn settings_path(kind: &str, place: Place, inner: &str) -> String {
    match (place, inner) {
        (Place::Under, ".") => config_key(kind),
        (Place::Under, inner) => format!("{}.{inner}", config_key(kind)),
        (Place::Beside, inner) => inner.to_owned(),
    }
}

impl Registry<dyn OutgoingStrategy> {
    /// Adds a kind of outgoing strategy.
    ///
    /// # Errors
    /// When the kind is there already.
    pub fn register<F: StrategyFactory>(&mut self, factory: F) -> Result<(), BuildError> {
        self.insert(F::KIND, Place::Under, move |config, deps| factory.build(config, deps))?;
        if let Some(entry) = self.kinds.get_mut(F::KIND) {
            entry.is_fixed = F::IS_FIXED;
        }
        Ok(())
    }
}

impl Registry<dyn Authenticator> {
    /// Adds a kind of incoming authenticator.
    ///
    /// # Errors
    /// When the kind is there already.
    pub fn register<F: AuthenticatorFactory>(&mut self, factory: F) -> Result<(), BuildError> {
        self.insert(F::KIND, Place::Under, move |config, deps| factory.build(config, deps))
    }
}

impl Registry<dyn Authorizer> {
    /// Adds a kind of authorizer.
    ///
    /// # Errors
    /// When the kind is there already.
    pub fn register<F: AuthorizerFactory>(&mut self, factory: F) -> Result<(), BuildError> {
        self.insert(F::KIND, Place::Beside, move |config, deps| factory.build(config, deps))
    }
}

impl Registry<dyn Interceptor> {
    /// Adds a kind of interceptor.
    ///
    /// # Errors
    /// When the kind is there already.
    pub fn register<F: InterceptorFactory>(&mut self, factory: F) -> Result<(), BuildError> {
        self.insert(F::KIND, Place::Under, move |config, deps| factory.build(config, deps))
    }
}

#[cfg(test)]
mod tests {
    use super::config_key;

    #[test]
    fn settings_stand_under_the_kind_in_camel_case() {
        assert_eq!(config_key("header_injection"), "headerInjection");
        assert_eq!(config_key("exec"), "exec");
    }
}
