//! The entities that a configuration adds, and those of one question.

use super::{
    depth::levels,
    path::{join, rest, segment},
};
use cedar_policy::{Entities, Entity, EntityTypeName, EntityUid, RestrictedExpression};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What `entitiesJson` adds.
#[derive(Clone, Debug)]
pub(super) struct Added {
    entities: Entities,
    /// The types of all that is named there, parents included.
    types: HashSet<String>,
    /// The tags of each that has some.
    tags: HashMap<EntityUid, HashMap<String, RestrictedExpression>>,
    /// What numbers their attributes and tags have, by name (as in paths) and by the path within; those of all tags under the empty name.
    numbers: HashMap<String, BTreeMap<String, Kinds>>,
    /// How deep what they have nests.
    pub(super) levels: usize,
}

/// How many steps there may be from all entities to all that they are in: Cedar keeps these for each.
const MOST_ABOVE: usize = 1_000_000;

/// What kinds of numbers there are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kinds {
    pub(super) whole: bool,
    pub(super) decimal: bool,
}

impl Added {
    /// Reads the JSON array. The error says what is wrong with it.
    pub(super) fn parse(json: Option<&str>) -> Result<Self, String> {
        let json = json.map(str::trim).filter(|json| !json.is_empty()).unwrap_or("[]");
        let value: Value = serde_json::from_str(json).map_err(|error| {
            format!("is no JSON: line {}, column {}: {}; give an array of Cedar entities", error.line(), error.column(), kind(&error))
        })?;
        let (mut types, mut numbers) = (HashSet::new(), HashMap::new());
        for entity in value.as_array().into_iter().flatten() {
            let parents = entity.get("parents").and_then(Value::as_array);
            for uid in entity.get("uid").into_iter().chain(parents.into_iter().flatten()) {
                types.extend(type_of(uid));
            }
            let of = |key: &str| entity.get(key).and_then(Value::as_object).into_iter().flatten();
            for (name, value) in of("attrs").chain(of("tags")) {
                note_numbers(value, "", numbers.entry(segment(name).into_owned()).or_default());
            }
            of("tags").for_each(|(_, value)| note_numbers(value, "", numbers.entry(String::new()).or_default()));
        }
        let levels = levels(&value);
        if is_in_too_many(&value) {
            return Err(format!("are in each other in more than {MOST_ABOVE} ways, all taken together; make fewer levels of them"));
        }
        // The first line; what stands below it quotes the file.
        let wrong =
            |error| format!("are no Cedar entities: {}; give an array of objects with `uid`, `attrs` and `parents`", first_line(&error));
        let tagged = Entities::from_json_value(tags_as_attributes(&value), None).map_err(wrong)?;
        let entities = Entities::from_json_value(value, None).map_err(wrong)?;
        let tags = tagged.iter().map(|entity| {
            let (uid, tags, _) = entity.clone().into_inner();
            (uid, tags)
        });
        Ok(Self { entities, types, tags: tags.collect(), numbers, levels })
    }

    /// Whether an entity of this type is named.
    pub(super) fn has_type(&self, name: &str) -> bool {
        self.types.contains(name)
    }

    /// Whether this one is.
    pub(super) fn has(&self, uid: &EntityUid) -> bool {
        self.entities.get(uid).is_some()
    }

    /// What numbers there are in attributes and tags of this name, of any tag where it is empty: at this path within, and below it.
    pub(super) fn numbers<'s>(&'s self, name: &str, within: &'s str) -> impl Iterator<Item = (&'s str, Kinds)> {
        let all = self.numbers.get(name).into_iter().flatten();
        all.filter_map(move |(path, kinds)| Some((rest(path, within)?, *kinds)))
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
        let tags = self.tags.get(&uid).cloned().unwrap_or_default();
        Entity::new_with_tags(uid, all, above, tags).ok()
    }

    /// All entities of a question. `None` where they are in each other.
    pub(super) fn with(&self, own: [Entity; 3]) -> Option<Entities> {
        if self.entities.is_empty() {
            return Entities::from_entities(own, None).ok();
        }
        self.entities.clone().upsert_entities(own, None).ok()
    }
}

/// The entities that have tags, with those in place of their attributes: Cedar gives attributes out again, and tags only as text.
fn tags_as_attributes(entities: &Value) -> Value {
    let tagged = entities.as_array().into_iter().flatten().filter_map(|entity| Some((entity.get("uid")?, entity.get("tags")?)));
    tagged.map(|(uid, tags)| json!({ "uid": uid, "attrs": tags, "parents": [] })).collect()
}

/// Notes what kinds of numbers stand at which paths.
fn note_numbers(value: &Value, path: &str, found: &mut BTreeMap<String, Kinds>) {
    let decimal = value.get("__extn").is_some_and(|call| call.get("fn").and_then(Value::as_str) == Some("decimal"));
    if decimal || value.is_number() {
        let kinds = found.entry(path.to_owned()).or_default();
        (kinds.whole, kinds.decimal) = (kinds.whole || !decimal, kinds.decimal || decimal);
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| note_numbers(item, path, found)),
        Value::Object(members) => members.iter().for_each(|(name, value)| note_numbers(value, &join(path, &segment(name)), found)),
        _ => {}
    }
}

/// Whether there are more steps from entities to what they are in than [`MOST_ABOVE`].
fn is_in_too_many(entities: &Value) -> bool {
    let known = |uid| Some((type_of(uid)?, id_of(uid)?));
    let mut parents: HashMap<_, Vec<_>> = HashMap::new();
    for entity in entities.as_array().into_iter().flatten() {
        let above = entity.get("parents").and_then(Value::as_array).into_iter().flatten().filter_map(known);
        parents.entry(entity.get("uid").and_then(known)).or_default().extend(above.map(Some));
    }
    let mut left = MOST_ABOVE;
    for uid in parents.keys() {
        let (mut seen, mut open) = (HashSet::from([uid]), vec![uid]);
        while let Some(uid) = open.pop() {
            let above = parents.get(uid).map(Vec::as_slice).unwrap_or_default();
            let Some(rest) = left.checked_sub(above.len()) else { return true };
            left = rest;
            open.extend(above.iter().filter(|uid| seen.insert(uid)));
        }
    }
    false
}

/// The type in an entity's uid, in either of the forms that Cedar has for it.
fn type_of(uid: &Value) -> Option<String> {
    let uid = uid.get("__entity").unwrap_or(uid);
    uid.get("type").and_then(Value::as_str).map(str::to_owned)
}

/// The id in it.
fn id_of(uid: &Value) -> Option<&str> {
    uid.get("__entity").unwrap_or(uid).get("id").and_then(Value::as_str)
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
