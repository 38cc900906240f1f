//! What a policy compares its numbers with: what the policy says of them, read off its text.

use super::{
    entities::Added,
    path::{join, named, rest, segment},
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What Cedar makes whole numbers of durations with.
const COUNTS: [&str; 5] = ["toMilliseconds", "toSeconds", "toMinutes", "toHours", "toDays"];

/// How much is noted of one policy at most: about so many bytes of paths, and pairs of what is compared with each other. Far more than what
/// somebody writes needs, and nothing against what a few lines can be made to multiply to.
const MOST: usize = 4 * 1024 * 1024;

/// What a part of a policy says of the number that it stands for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Whole,
    Decimal,
    /// A claim or an argument; the context itself where it is empty.
    Path(String),
    /// An entity, or what nothing is known of: it may be one.
    Entity,
    /// An attribute or a tag of an entity that has numbers there: its name, and the path within it.
    Attribute(String, String),
    /// The members of a record.
    Record(BTreeMap<String, Parts>),
}

/// What an expression can stand for, each of them once.
type Parts = BTreeSet<Part>;

/// What a policy compares with what.
pub(super) struct Compared<'a> {
    added: &'a Added,
    /// The paths that are compared with whole numbers.
    pub(super) whole: BTreeSet<String>,
    /// Those that are compared with decimals.
    pub(super) decimal: BTreeSet<String>,
    /// Those that are compared with each other, both ways.
    same: BTreeMap<String, BTreeSet<String>>,
    /// What is left of [`MOST`].
    left: usize,
}

impl<'a> Compared<'a> {
    /// What a policy compares, in its JSON form (Cedar's EST). `None` where that is more than can be followed.
    pub(super) fn of(policy: &Value, added: &'a Added) -> Option<Self> {
        let (whole, decimal) = (BTreeSet::new(), BTreeSet::new());
        let mut compared = Self { added, whole, decimal, same: BTreeMap::new(), left: MOST };
        compared.look(policy);
        compared.settle();
        (compared.left > 0).then_some(compared)
    }

    fn spend(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }

    fn look(&mut self, json: &Value) {
        match json {
            Value::Object(members) => {
                for (operator, operands) in members {
                    match (operator.as_str(), operands) {
                        // Its names are no operators.
                        ("Record", Value::Object(members)) => members.values().for_each(|value| self.look(value)),
                        _ => {
                            self.note(operator, operands);
                            self.look(operands);
                        }
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.look(item)),
            _ => {}
        }
    }

    fn note(&mut self, operator: &str, operands: &Value) {
        let whole = || Parts::from([Part::Whole]);
        match operator {
            "==" | "!=" | "contains" | "containsAll" | "containsAny" => {
                let (left, right) = (self.operand(operands, "left"), self.operand(operands, "right"));
                self.relate(&left, &right);
            }
            "<" | "<=" | ">" | ">=" | "+" | "-" | "*" => {
                for side in ["left", "right"] {
                    let side = self.operand(operands, side);
                    self.relate(&side, &whole());
                }
            }
            "neg" => {
                let of = self.operand(operands, "arg");
                self.relate(&of, &whole());
            }
            "lessThan" | "lessThanOrEqual" | "greaterThan" | "greaterThanOrEqual" => {
                for operand in operands.as_array().into_iter().flatten() {
                    let of = self.parts(operand);
                    self.relate(&of, &Parts::from([Part::Decimal]));
                }
            }
            _ => {}
        }
    }

    fn operand(&mut self, operands: &Value, name: &str) -> Parts {
        operands.get(name).map(|operand| self.parts(operand)).unwrap_or_default()
    }

    fn relate(&mut self, some: &Parts, others: &Parts) {
        for one in some {
            for other in others {
                self.spend(1);
                if self.left == 0 {
                    return;
                }
                self.relate_one(one, other);
            }
        }
    }

    fn relate_one(&mut self, one: &Part, other: &Part) {
        match (one, other) {
            (Part::Path(path), Part::Whole) | (Part::Whole, Part::Path(path)) => drop(self.whole.insert(path.clone())),
            (Part::Path(path), Part::Decimal) | (Part::Decimal, Part::Path(path)) => drop(self.decimal.insert(path.clone())),
            (Part::Path(one), Part::Path(other)) => {
                // An entity may have an attribute of this name, too.
                for path in [one, other] {
                    let (name, within) = path.split_once('.').unwrap_or((path, ""));
                    self.relate_to_entity(path, name, within);
                }
                self.relate_paths(one, other);
            }
            (Part::Path(path), Part::Attribute(name, within)) | (Part::Attribute(name, within), Part::Path(path)) => {
                self.relate_to_entity(path, name, within);
            }
            (Part::Path(path), Part::Record(members)) | (Part::Record(members), Part::Path(path)) => {
                for (name, inner) in members {
                    let path = self.joined(path, &segment(name));
                    self.relate(&Parts::from([Part::Path(path)]), inner);
                }
            }
            (Part::Attribute(of, within), Part::Record(members)) | (Part::Record(members), Part::Attribute(of, within)) => {
                for (name, inner) in members {
                    let within = self.joined(within, &segment(name));
                    let attribute = self.attribute(of, within);
                    self.relate(&attribute.into_iter().collect(), inner);
                }
            }
            (Part::Record(some), Part::Record(others)) => {
                for (name, one) in some {
                    others.get(name).into_iter().for_each(|other| self.relate(one, other));
                }
            }
            _ => {}
        }
    }

    fn relate_paths(&mut self, one: &str, other: &str) {
        // Nothing has the kinds of the context as a whole, and no value is equal to what is in it.
        let is_apart = rest(one, other).is_none() && rest(other, one).is_none();
        if is_apart {
            self.spend(one.len() + other.len());
            for (from, to) in [(one, other), (other, one)] {
                self.same.entry(from.to_owned()).or_default().insert(to.to_owned());
            }
        }
    }

    /// What is at this path, and below it, is of the kinds that an entity has there.
    fn relate_to_entity(&mut self, path: &str, name: &str, within: &str) {
        for (below, kinds) in self.added.numbers(name, within) {
            let path = self.joined(path, below);
            self.whole.extend(kinds.whole.then(|| path.clone()));
            self.decimal.extend(kinds.decimal.then_some(path));
        }
    }

    /// What is compared with each other is of one kind, and so is what is within it.
    fn settle(&mut self) {
        let (whole, decimal) = (std::mem::take(&mut self.whole), std::mem::take(&mut self.decimal));
        (self.whole, self.decimal) = (self.settled(whole), self.settled(decimal));
    }

    fn settled(&mut self, mut paths: BTreeSet<String>) -> BTreeSet<String> {
        let mut open: Vec<String> = paths.iter().cloned().collect();
        while let Some(path) = open.pop() {
            open.extend(self.equal_to(&path).into_iter().filter(|path| paths.insert(path.clone())));
        }
        paths
    }

    /// The paths of what is compared with what is at this one, or with something above it.
    fn equal_to(&mut self, path: &str) -> Vec<String> {
        let mut all = Vec::new();
        let steps = path.match_indices('.').map(|(at, _)| (&path[..at], &path[at + 1..]));
        for (above, below) in steps.chain([(path, "")]) {
            for other in self.same.get(above).into_iter().flatten() {
                if self.left == 0 {
                    return Vec::new();
                }
                let path = join(other, below);
                self.left = self.left.saturating_sub(path.len());
                all.push(path);
            }
        }
        all
    }

    /// What an expression can stand for.
    fn parts(&mut self, expression: &Value) -> Parts {
        let unknown = || Parts::from([Part::Entity]);
        let Some((operator, of)) = expression.as_object().and_then(|members| members.iter().next()) else { return unknown() };
        match operator.as_str() {
            "Value" if of.is_number() => Parts::from([Part::Whole]),
            "+" | "-" | "*" | "neg" => Parts::from([Part::Whole]),
            count if COUNTS.contains(&count) => Parts::from([Part::Whole]),
            "decimal" => Parts::from([Part::Decimal]),
            "Var" if of == "context" => Parts::from([Part::Path(String::new())]),
            "Set" => of.as_array().into_iter().flatten().flat_map(|item| self.parts(item)).collect(),
            "Record" => {
                let members = of.as_object().into_iter().flatten();
                Parts::from([Part::Record(members.map(|(name, value)| (name.clone(), self.parts(value))).collect())])
            }
            "if-then-else" => ["then", "else"].into_iter().flat_map(|branch| self.operand(of, branch)).collect(),
            "." => match of.get("attr").and_then(Value::as_str) {
                Some(name) => {
                    let left = self.operand(of, "left");
                    self.member(left, name)
                }
                None => unknown(),
            },
            "getTag" => {
                let name = of.get("right").and_then(|right| right.get("Value")?.as_str());
                self.attribute(&segment(name.unwrap_or_default()), String::new()).into_iter().chain([Part::Entity]).collect()
            }
            _ => unknown(),
        }
    }

    /// What has this name in these.
    fn member(&mut self, all: Parts, name: &str) -> Parts {
        let mut found = Parts::new();
        for part in all {
            if self.left == 0 {
                break;
            }
            match part {
                Part::Record(mut members) => found.extend(members.remove(name).unwrap_or_default()),
                Part::Path(path) => drop(found.insert(Part::Path(self.joined(&path, &segment(name))))),
                Part::Attribute(of, within) => {
                    let within = self.joined(&within, &segment(name));
                    found.extend(self.attribute(&of, within));
                }
                Part::Entity => {
                    // The names of claims and arguments say what they are, wherever they are looked for.
                    self.spend(name.len());
                    found.extend(named(name).map(Part::Path));
                    found.extend(self.attribute(&segment(name), String::new()));
                    found.insert(Part::Entity);
                }
                Part::Whole | Part::Decimal => {}
            }
        }
        found
    }

    /// An attribute or a tag, where some entity has numbers there. It may be an entity as well, whatever it is.
    fn attribute(&self, of: &str, within: String) -> Option<Part> {
        let has_numbers = self.added.numbers(of, &within).next().is_some();
        has_numbers.then(|| Part::Attribute(of.to_owned(), within))
    }

    fn joined(&mut self, above: &str, below: &str) -> String {
        let path = join(above, below);
        self.spend(path.len());
        path
    }
}
