//! Policies from a configuration and its files: read, parsed, named.

use super::{depth, literals::World, looks::Looks, nesting, numbers::Numbers, position};
use cedar_policy::{Effect, Policy, PolicyId, PolicySet};
use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read as _},
    path::Path,
};
use vmcp_core::plugin::Misplaced;

/// The longest file of policies, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// All policies, and what is known of them. What they decide is what each of them says for itself, so that they may be asked in groups.
#[derive(Default)]
pub(super) struct Policies {
    pub(super) groups: Vec<Group>,
    /// How many operators the deepest of them has within one another.
    pub(super) operators: usize,
}

/// Policies to which the same numbers are decimals.
#[derive(Default)]
pub(super) struct Group {
    pub(super) set: PolicySet,
    pub(super) numbers: Numbers,
    /// What each of them looks at.
    pub(super) readers: Vec<(Policy, Looks)>,
}

/// A text with policies: where it stands, and how those without a name are called.
struct Source {
    /// The path of a file; what stands in the configuration itself has its place from the key.
    file: Option<String>,
    /// What policies without `@id` are called after.
    stem: String,
    text: String,
}

#[derive(Default)]
pub(super) struct Reader {
    sources: Vec<(String, Source)>,
    pub(super) wrong: Vec<Misplaced>,
}

impl Reader {
    pub(super) fn inline(&mut self, texts: &[String]) {
        for (index, text) in texts.iter().enumerate() {
            let key = format!("policies[{index}]");
            let source = Source { file: None, stem: format!("policy{index}"), text: text.clone() };
            self.sources.push((key, source));
        }
    }

    pub(super) fn files(&mut self, paths: &[impl AsRef<Path>]) {
        for (index, path) in paths.iter().enumerate() {
            let (key, path) = (format!("policyFiles[{index}]"), path.as_ref());
            match read(path) {
                Ok(text) => {
                    let stem = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    self.sources.push((key, Source { file: Some(path.display().to_string()), stem, text }));
                }
                Err(error) => {
                    let why = match error.kind() {
                        io::ErrorKind::NotFound => "no such file".to_owned(),
                        io::ErrorKind::InvalidData => "it is not UTF-8".to_owned(),
                        io::ErrorKind::FileTooLarge => "it is longer than 1 MiB".to_owned(),
                        kind => kind.to_string(),
                    };
                    let message = format!("cannot read {}: {why}; put the file there, or correct the path", path.display());
                    self.wrong.push(Misplaced::new(key, message));
                }
            }
        }
    }

    /// Parses all that was read. What is wrong is in `wrong` then.
    pub(super) fn parse(&mut self, world: &World<'_>) -> Policies {
        let mut all = Policies::default();
        let mut places: HashMap<PolicyId, String> = HashMap::new();
        for (key, source) in std::mem::take(&mut self.sources) {
            for message in source.add_to(&key, &mut all, &mut places, world) {
                self.wrong.push(Misplaced::new(key.clone(), message));
            }
        }
        all
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
}

impl Source {
    /// Adds the policies; gives what is wrong with them.
    fn add_to(&self, key: &str, all: &mut Policies, places: &mut HashMap<PolicyId, String>, world: &World<'_>) -> Vec<String> {
        let told = |what: String| match &self.file {
            Some(file) => format!("{file}, {what}"),
            None => what,
        };
        if let Some(at) = nesting::too_deep(&self.text) {
            let place = position::Position::of(&self.text, at);
            return vec![told(format!(
                "{place}: too many brackets and operators lie within one another here; make several policies of it"
            ))];
        }
        let parsed: PolicySet = match self.text.parse() {
            Ok(parsed) => parsed,
            Err(errors) => return position::all(&self.text, &errors).into_iter().map(told).collect(),
        };
        if parsed.templates().next().is_some() {
            return vec![told("a template (`?principal`, `?resource`) applies to nobody; write the entity in its place".to_owned())];
        }
        let mut policies: Vec<&Policy> = parsed.policies().collect();
        if policies.is_empty() {
            return vec![told("no policy in it; write one, or remove the entry".to_owned())];
        }
        // They are numbered in the order of the text.
        policies.sort_by_key(|policy| number(policy.id()));
        let only = policies.len() == 1;
        let mut wrong = Vec::new();
        for (index, policy) in policies.into_iter().enumerate() {
            let id = match policy.annotation("id").filter(|id| !id.is_empty()) {
                Some(id) => id.to_owned(),
                None if only => self.stem.clone(),
                None => format!("{}#{}", self.stem, index + 1),
            };
            let named = policy.new_id(PolicyId::new(&id));
            if let Some(other) = places.insert(named.id().clone(), key.to_owned()) {
                wrong.push(told(format!("policy `{id}`: there is another one of this name in {other}; give each an `@id` of its own")));
                continue;
            }
            wrong.extend(world.complaints(&named).into_iter().map(|complaint| told(format!("policy `{id}`: {complaint}"))));
            wrong.extend(all.take(named, world).err().map(|why| told(format!("policy `{id}`: {why}"))));
        }
        wrong
    }
}

/// The number in the name that the parser gives.
fn number(id: &PolicyId) -> usize {
    let id: &str = id.as_ref();
    id.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(usize::MAX)
}

impl Policies {
    /// Whether any decision can depend on arguments.
    pub(super) fn read_arguments(&self) -> bool {
        self.groups.iter().any(|group| group.numbers.looks().at_arguments())
    }

    /// Adds a policy, or says why it is none that can be asked.
    fn take(&mut self, policy: Policy, world: &World<'_>) -> Result<(), String> {
        let json = policy.to_json().map_err(|_| "has no JSON form, so that it cannot be looked through; write it otherwise")?;
        let operators = depth::operators(&json);
        if operators > depth::MAX {
            let bound = format!("it has more than {} operators within one another", depth::MAX);
            return Err(format!("{bound}; make several policies of it, or name what it compares with in a set"));
        }
        self.operators = self.operators.max(operators);
        self.add(policy, Numbers::of(&json, world.added)?)
    }

    /// Adds a policy to the first group that sees numbers as it does.
    fn add(&mut self, policy: Policy, mut numbers: Numbers) -> Result<(), String> {
        let looks = numbers.looks().clone();
        for group in &mut self.groups {
            match group.numbers.join(numbers) {
                Ok(()) => return group.add(policy, looks),
                Err(back) => numbers = back,
            }
        }
        let mut group = Group { numbers, ..Group::default() };
        group.add(policy, looks)?;
        self.groups.push(group);
        Ok(())
    }
}

impl Group {
    fn add(&mut self, policy: Policy, looks: Looks) -> Result<(), String> {
        self.readers.push((policy.clone(), looks));
        self.set.add(policy).map_err(|error| error.to_string())
    }

    /// Whether this policy denies where it applies.
    pub(super) fn forbids(&self, id: &PolicyId) -> bool {
        self.set.policy(id).is_none_or(forbids)
    }
}

pub(super) fn forbids(policy: &Policy) -> bool {
    policy.effect() == Effect::Forbid
}
