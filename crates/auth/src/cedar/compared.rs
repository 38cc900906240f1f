//! What a policy compares its numbers with: what the policy says of them, read off its text.

use super::entities::Added;
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
    /// An attribute or a tag of an entity: its name, and the path within it.
    Attribute(String, String),
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
}

impl<'a> Compared<'a> {
    /// What a policy compares, in its JSON form (Cedar's EST).
    pub(super) fn of(policy: &Value, added: &'a Added) -> Self {
        let mut compared = Self { added, whole: BTreeSet::new(), decimal: BTreeSet::new(), same: Vec::new() };
        compared.look(policy);
        compared.settle();
        compared
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
            _ => {}
        }
    }

    fn relate(&mut self, some: &[Part], others: &[Part]) {
        for one in some {
            for other in others {
                match (one, other) {
                    (Part::Path(path), Part::Whole) | (Part::Whole, Part::Path(path)) => drop(self.whole.insert(path.clone())),
                    (Part::Path(path), Part::Decimal) | (Part::Decimal, Part::Path(path)) => drop(self.decimal.insert(path.clone())),
                    (Part::Path(one), Part::Path(other)) => {
                        // An entity may have an attribute of this name, too.
                        for path in [one, other] {
                            let (name, within) = path.split_once('.').unwrap_or((path, ""));
                            self.relate_to_entity(path, name, within);
                        }
                        // Nothing has the kinds of the context as a whole.
                        self.same.extend((!one.is_empty() && !other.is_empty()).then(|| (one.clone(), other.clone())));
                    }
                    (Part::Path(path), Part::Attribute(name, within)) | (Part::Attribute(name, within), Part::Path(path)) => {
                        self.relate_to_entity(path, name, within);
                    }
                    (Part::Path(path), Part::Record(members)) | (Part::Record(members), Part::Path(path)) => {
                        members.iter().for_each(|(name, inner)| self.relate(&[Part::Path(join(path, name))], inner));
                    }
                    (Part::Attribute(of, within), Part::Record(members)) | (Part::Record(members), Part::Attribute(of, within)) => {
                        members.iter().for_each(|(name, inner)| self.relate(&[Part::Attribute(of.clone(), join(within, name))], inner));
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

    /// What is at this path, and below it, is of the kinds that an entity has there.
    fn relate_to_entity(&mut self, path: &str, name: &str, within: &str) {
        for (below, kinds) in self.added.numbers(name, within) {
            let path = join(path, below);
            self.whole.extend(kinds.whole.then(|| path.clone()));
            self.decimal.extend(kinds.decimal.then_some(path));
        }
    }

    /// What is compared with each other is of one kind, and so is what is within it.
    fn settle(&mut self) {
        for _ in 0..=self.same.len() {
            let mut is_settled = true;
            for kinds in [&mut self.whole, &mut self.decimal] {
                for (one, other) in self.same.iter().flat_map(|(one, other)| [(one, other), (other, one)]) {
                    let below = kinds.iter().filter_map(|path| rest(path, one)).map(|below| join(other, below));
                    let new: Vec<String> = below.filter(|path| !kinds.contains(path)).collect();
                    is_settled &= new.is_empty();
                    kinds.extend(new);
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
        "." => match (of.get("left"), of.get("attr").and_then(Value::as_str)) {
            (Some(left), Some(name)) => member(parts(left), name),
            _ => Vec::new(),
        },
        "getTag" => {
            let name = of.get("right").and_then(|right| right.get("Value")?.as_str());
            vec![Part::Attribute(name.unwrap_or_default().to_owned(), String::new())]
        }
        _ => Vec::new(),
    }
}

/// What has this name in these; in an entity where nothing is known of them.
fn member(all: Vec<Part>, name: &str) -> Vec<Part> {
    let of_entity = || {
        // The names of claims and arguments say what they are, wherever they are looked for.
        let path = named(name).map(Part::Path);
        path.into_iter().chain([Part::Attribute(name.to_owned(), String::new())])
    };
    if all.is_empty() {
        return of_entity().collect();
    }
    let within = |part| match part {
        Part::Record(members) => members.into_iter().filter(|(other, _)| other == name).flat_map(|(_, inner)| inner).collect(),
        Part::Path(path) => vec![Part::Path(join(&path, name))],
        // It may be a record, or another entity.
        Part::Attribute(of, within) => of_entity().chain([Part::Attribute(of, join(&within, name))]).collect(),
        Part::Whole | Part::Decimal => Vec::new(),
    };
    all.into_iter().flat_map(within).collect()
}

/// The path of a claim or an argument.
pub(super) fn path(expression: &Value) -> Option<String> {
    let access = expression.get(".")?;
    joined(access.get("left")?, access.get("attr")?.as_str()?)
}

/// The path of what has this name: the names of claims and arguments say what they are, wherever they are looked for.
fn joined(left: &Value, name: &str) -> Option<String> {
    path(left).map_or_else(|| named(name), |above| Some(join(&above, name)))
}

/// Whether this is the name of a claim or an argument.
pub(super) fn named(name: &str) -> Option<String> {
    (name.starts_with("arg_") || name.starts_with("claim_")).then(|| name.to_owned())
}

/// One path within another.
pub(super) fn join(above: &str, below: &str) -> String {
    match (above, below) {
        ("", path) | (path, "") => path.to_owned(),
        _ => format!("{above}.{below}"),
    }
}

/// What is left of a path below another one; nothing of the same one.
pub(super) fn rest<'p>(path: &'p str, above: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(above)?;
    if rest.is_empty() || above.is_empty() { Some(rest) } else { rest.strip_prefix('.') }
}
