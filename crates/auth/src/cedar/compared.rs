//! What a policy compares its numbers with: what the policy says of them, read off its text.

use super::entities::Added;
use cedar_policy::Policy;
use serde_json::Value;
use std::collections::BTreeSet;

/// What Cedar makes whole numbers of durations with.
const COUNTS: [&str; 5] = ["toMilliseconds", "toSeconds", "toMinutes", "toHours", "toDays"];

/// What a part of a policy says of the number that it stands for.
enum Part {
    Whole,
    Decimal,
    /// A claim or an argument; the context itself where it is empty.
    Path(String),
    /// An attribute or a tag of an entity that has this name.
    Attribute(String),
    /// The members of a record.
    Record(Vec<(String, Vec<Part>)>),
}

/// What a policy compares with what.
pub(super) struct Compared<'a> {
    added: &'a Added,
    /// The paths that are compared with whole numbers.
    pub(super) whole: BTreeSet<String>,
    /// Those that are compared with decimals.
    pub(super) decimal: BTreeSet<String>,
    /// Those that are compared with each other.
    same: Vec<(String, String)>,
    /// All that are looked at.
    pub(super) looked_at: BTreeSet<String>,
    /// Whether the context is taken as a whole.
    pub(super) at_all: bool,
}

impl<'a> Compared<'a> {
    /// What this policy compares. `None` where it cannot be looked through.
    pub(super) fn of(policy: &Policy, added: &'a Added) -> Option<Self> {
        let json = policy.to_json().ok()?;
        let (whole, decimal, looked_at) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut compared = Self { added, whole, decimal, same: Vec::new(), looked_at, at_all: false };
        compared.look(&json);
        compared.settle();
        Some(compared)
    }

    /// Looks through a policy in its JSON form (Cedar's EST).
    fn look(&mut self, json: &Value) {
        match json {
            Value::Object(members) => {
                for (operator, operands) in members {
                    self.note(operator, operands);
                    // What is asked of the context is not the context as a whole.
                    if !(matches!(operator.as_str(), "." | "has") && operands.get("left").is_some_and(is_var)) {
                        self.look(operands);
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.look(item)),
            _ => {}
        }
    }

    fn note(&mut self, operator: &str, operands: &Value) {
        let side = |name: &str| operands.get(name).map(parts).unwrap_or_default();
        match operator {
            "==" | "!=" | "contains" | "containsAll" | "containsAny" => self.relate(&side("left"), &side("right")),
            "<" | "<=" | ">" | ">=" | "+" | "-" | "*" => {
                self.relate(&side("left"), &[Part::Whole]);
                self.relate(&side("right"), &[Part::Whole]);
            }
            "neg" => self.relate(&side("arg"), &[Part::Whole]),
            "lessThan" | "lessThanOrEqual" | "greaterThan" | "greaterThanOrEqual" => {
                for operand in operands.as_array().into_iter().flatten() {
                    self.relate(&parts(operand), &[Part::Decimal]);
                }
            }
            "." => self.looked_at.extend(operands.get("left").and_then(|left| joined(left, operands.get("attr")?.as_str()?))),
            "Var" => self.at_all |= operands == "context",
            _ => {}
        }
    }

    fn relate(&mut self, some: &[Part], others: &[Part]) {
        for one in some {
            for other in others {
                match (one, other) {
                    (Part::Path(path), Part::Whole) | (Part::Whole, Part::Path(path)) => drop(self.whole.insert(path.clone())),
                    (Part::Path(path), Part::Decimal) | (Part::Decimal, Part::Path(path)) => drop(self.decimal.insert(path.clone())),
                    (Part::Path(one), Part::Path(other)) => self.same.push((one.clone(), other.clone())),
                    (Part::Path(path), Part::Attribute(name)) | (Part::Attribute(name), Part::Path(path)) => {
                        let kinds = self.added.numbers(name);
                        self.whole.extend(kinds.whole.then(|| path.clone()));
                        self.decimal.extend(kinds.decimal.then(|| path.clone()));
                    }
                    (Part::Path(path), Part::Record(members)) | (Part::Record(members), Part::Path(path)) => {
                        for (name, inner) in members {
                            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                            self.relate(&[Part::Path(path)], inner);
                        }
                    }
                    (Part::Record(some), Part::Record(others)) => {
                        for (name, one) in some {
                            others.iter().filter(|(other, _)| other == name).for_each(|(_, other)| self.relate(one, other));
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// What is compared with each other is of one kind.
    fn settle(&mut self) {
        for _ in 0..=self.same.len() {
            let mut is_settled = true;
            for kinds in [&mut self.whole, &mut self.decimal] {
                for (one, other) in &self.same {
                    if kinds.contains(one) != kinds.contains(other) {
                        kinds.extend([one.clone(), other.clone()]);
                        is_settled = false;
                    }
                }
            }
            if is_settled {
                return;
            }
        }
    }
}

/// What an expression can stand for; nothing where numbers do not come into it.
fn parts(expression: &Value) -> Vec<Part> {
    let Some((operator, of)) = expression.as_object().and_then(|members| members.iter().next()) else { return Vec::new() };
    match operator.as_str() {
        "Value" if of.is_number() => vec![Part::Whole],
        "+" | "-" | "*" | "neg" => vec![Part::Whole],
        count if COUNTS.contains(&count) => vec![Part::Whole],
        "decimal" => vec![Part::Decimal],
        "Var" if of == "context" => vec![Part::Path(String::new())],
        "Set" => of.as_array().into_iter().flatten().flat_map(parts).collect(),
        "Record" => {
            let members = of.as_object().into_iter().flatten();
            vec![Part::Record(members.map(|(name, value)| (name.clone(), parts(value))).collect())]
        }
        "if-then-else" => ["then", "else"].into_iter().filter_map(|branch| of.get(branch)).flat_map(parts).collect(),
        "." => {
            let (Some(left), Some(name)) = (of.get("left"), of.get("attr").and_then(Value::as_str)) else { return Vec::new() };
            match joined(left, name) {
                Some(path) => vec![Part::Path(path)],
                None => member(parts(left), name),
            }
        }
        "getTag" => {
            let name = of.get("right").and_then(|right| right.get("Value")?.as_str());
            vec![Part::Attribute(name.unwrap_or_default().to_owned())]
        }
        _ => Vec::new(),
    }
}

/// What has this name in one of these; in an entity where they are none.
fn member(all: Vec<Part>, name: &str) -> Vec<Part> {
    let records = all.into_iter().filter_map(|part| if let Part::Record(members) = part { Some(members) } else { None });
    let mut found: Vec<Part> = records.flatten().filter(|(other, _)| other == name).flat_map(|(_, inner)| inner).collect();
    if found.is_empty() {
        found.push(Part::Attribute(name.to_owned()));
    }
    found
}

/// The path of a claim or an argument.
fn path(expression: &Value) -> Option<String> {
    let access = expression.get(".")?;
    joined(access.get("left")?, access.get("attr")?.as_str()?)
}

/// The path of what has this name: the names of claims and arguments say what they are, wherever they are looked for.
fn joined(left: &Value, name: &str) -> Option<String> {
    match path(left) {
        Some(above) => Some(format!("{above}.{name}")),
        None => (name.starts_with("arg_") || name.starts_with("claim_")).then(|| name.to_owned()),
    }
}

fn is_var(json: &Value) -> bool {
    json.get("Var").is_some()
}
