//! The entities that a configuration adds, and those of one question.

use cedar_policy::{Entities, Entity, EntityTypeName, EntityUid, RestrictedExpression};
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// What `entitiesJson` adds.
#[derive(Clone, Debug)]
pub(super) struct Added {
    entities: Entities,
    /// The types of all that is named there, parents included.
    types: HashSet<String>,
}

impl Added {
    /// Reads the JSON array. The error says what is wrong with it.
    pub(super) fn parse(json: Option<&str>) -> Result<Self, String> {
        let json = json.map(str::trim).filter(|json| !json.is_empty()).unwrap_or("[]");
        let value: Value = serde_json::from_str(json).map_err(|error| {
            format!("is no JSON: line {}, column {}: {}; give an array of Cedar entities", error.line(), error.column(), kind(&error))
        })?;
        let mut types = HashSet::new();
        for entity in value.as_array().into_iter().flatten() {
            let parents = entity.get("parents").and_then(Value::as_array);
            for uid in entity.get("uid").into_iter().chain(parents.into_iter().flatten()) {
                types.extend(type_of(uid));
            }
        }
        let entities = Entities::from_json_value(value, None).map_err(|error| {
            // The first line; what stands below it quotes the file.
            format!("are no Cedar entities: {}; give an array of objects with `uid`, `attrs` and `parents`", first_line(&error))
        })?;
        Ok(Self { entities, types })
    }

    /// Whether an entity of this type is named.
    pub(super) fn has_type(&self, name: &str) -> bool {
        self.types.contains(name)
    }

    /// Whether this one is.
    pub(super) fn has(&self, uid: &EntityUid) -> bool {
        self.entities.get(uid).is_some()
    }

    /// An entity with these attributes and parents besides what the configuration says of it.
    pub(super) fn entity(
        &self,
        uid: EntityUid,
        attributes: impl IntoIterator<Item = (String, RestrictedExpression)>,
        parents: impl IntoIterator<Item = EntityUid>,
    ) -> Option<Entity> {
        let (mut all, mut above) = match self.entities.get(&uid) {
            Some(known) => {
                let (_, attributes, parents) = known.clone().into_inner();
                (attributes, parents)
            }
            None => (HashMap::new(), HashSet::new()),
        };
        // What the gateway knows is true, whatever the configuration says.
        all.extend(attributes);
        above.extend(parents);
        Entity::new(uid, all, above).ok()
    }

    /// All entities of a question. `None` where they are in each other.
    pub(super) fn with(&self, own: [Entity; 3]) -> Option<Entities> {
        if self.entities.is_empty() {
            return Entities::from_entities(own, None).ok();
        }
        self.entities.clone().upsert_entities(own, None).ok()
    }
}

/// The type in an entity's uid, in either of the forms that Cedar has for it.
fn type_of(uid: &Value) -> Option<String> {
    let uid = uid.get("__entity").unwrap_or(uid);
    uid.get("type").and_then(Value::as_str).map(str::to_owned)
}

fn first_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text.lines().next().unwrap_or_default().to_owned()
}

fn kind(error: &serde_json::Error) -> &'static str {
    if error.is_eof() { "it ends too early" } else { "a character that cannot stand there" }
}

/// A uid of a type that is known to be one.
pub(super) fn uid(of: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(of.clone(), cedar_policy::EntityId::new(id))
}
