//! URI templates (RFC 6570), backwards: whether a URI can be an expansion of one.
//!
//! Routing needs less than the whole grammar: which characters an expression can have become, not which variable had which value.
//! A template is a chain of steps, and a match carries the set of places in the URI that the chain can have reached so far from one
//! step to the next. Nothing is ever tried twice: the work is at most (length of the URI) × (length of the template).

#[cfg(test)]
mod tests;

/// More expressions than this make a template too long to route by.
const MAX_EXPRESSIONS: usize = 32;
/// A longer template is not routed by.
const MAX_TEMPLATE: usize = 4096;

/// Why a text is no template that can be routed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A brace without its partner, or one inside an expression.
    #[error("a brace has no partner")]
    Unbalanced,
    /// An expression without a variable, or with an empty one.
    #[error("an expression has no variable")]
    Empty,
    /// An operator that RFC 6570 reserves (section 2.2).
    #[error("the operator `{0}` has no meaning yet")]
    Operator(char),
    /// Over 4096 bytes or 32 expressions.
    #[error("longer than {MAX_TEMPLATE} bytes or {MAX_EXPRESSIONS} expressions")]
    TooLong,
}

/// The characters that an expression's values can have become.
///
/// An encoder leaves fewer, but URIs are also written by hand: what the operator does not encode is let through, and so is everything
/// that does not end the part of the URI that the expression stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Up to the next `/`, `?` or `#`.
    Segment,
    /// Up to the next `?` or `#`.
    Path,
    /// Up to the next `#`.
    Query,
    /// To the end.
    Any,
}

impl Class {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Segment => !matches!(byte, b'/' | b'?' | b'#'),
            Self::Path => !matches!(byte, b'?' | b'#'),
            Self::Query => byte != b'#',
            Self::Any => true,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// These bytes.
    Literal(Box<[u8]>),
    /// Any number of characters of a class.
    Run(Class),
    /// Up to `times` times `lead` and characters of a class; undefined variables leave nothing (RFC 6570, section 3.2.1).
    Led { lead: u8, class: Class, times: usize },
}

/// A template that URIs can be held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::catalogue) struct UriTemplate {
    prefix: Box<str>,
    steps: Box<[Step]>,
}

impl UriTemplate {
    /// Reads a template.
    pub(in crate::catalogue) fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.len() > MAX_TEMPLATE {
            return Err(TemplateError::TooLong);
        }
        let (prefix, mut rest) = text.split_at(text.find(['{', '}']).unwrap_or(text.len()));
        let mut steps = Vec::new();
        while let Some(open) = rest.strip_prefix('{') {
            let (expression, after) = open.split_once('}').ok_or(TemplateError::Unbalanced)?;
            steps.push(step(expression)?);
            if steps.len() > 2 * MAX_EXPRESSIONS {
                return Err(TemplateError::TooLong);
            }
            let (literal, next) = after.split_at(after.find(['{', '}']).unwrap_or(after.len()));
            if !literal.is_empty() {
                steps.push(Step::Literal(literal.as_bytes().into()));
            }
            rest = next;
        }
        let expressions = steps.iter().filter(|step| !matches!(step, Step::Literal(_))).count();
        if expressions > MAX_EXPRESSIONS {
            return Err(TemplateError::TooLong);
        }
        if rest.is_empty() { Ok(Self { prefix: prefix.into(), steps: steps.into() }) } else { Err(TemplateError::Unbalanced) }
    }

    /// What stands before the first expression.
    pub(in crate::catalogue) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether it has no expression at all.
    pub(in crate::catalogue) fn is_literal(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether `uri` can be an expansion. `work` is what is left of a budget of steps; a match that would pass it fails.
    pub(in crate::catalogue) fn matches(&self, uri: &str, work: &mut usize) -> bool {
        let Some(rest) = uri.as_bytes().strip_prefix(self.prefix.as_bytes()) else { return false };
        if let Some(Step::Literal(end)) = self.steps.last()
            && !rest.ends_with(end)
        {
            return false;
        }
        let mut reached = vec![false; rest.len() + 1];
        reached[0] = true;
        for step in &self.steps {
            let cost = step.cost(rest, &reached);
            if *work < cost {
                return false;
            }
            *work -= cost;
            reached = step.advance(rest, &reached);
        }
        reached[rest.len()]
    }
}

impl Step {
    /// How many bytes [`Self::advance`] looks at, at most.
    fn cost(&self, uri: &[u8], from: &[bool]) -> usize {
        match self {
            Self::Literal(literal) => {
                let tries = uri.iter().zip(from).filter(|(byte, reached)| **reached && literal.first() == Some(byte)).count();
                from.len() + tries * literal.len()
            }
            Self::Run(_) => from.len(),
            Self::Led { times, .. } => from.len() * times,
        }
    }

    /// The places that are reached behind this step, from those reached before it.
    fn advance(&self, uri: &[u8], from: &[bool]) -> Vec<bool> {
        match self {
            Self::Literal(literal) => {
                let mut reached = vec![false; from.len()];
                for at in (0..from.len()).filter(|at| from[*at] && uri[*at..].starts_with(literal)) {
                    reached[at + literal.len()] = true;
                }
                reached
            }
            Self::Run(class) => run(*class, uri, from.to_vec()),
            Self::Led { lead, class, times } => {
                let mut reached = from.to_vec();
                let mut front = from.to_vec();
                for _ in 0..*times {
                    let mut led = vec![false; from.len()];
                    for at in (0..uri.len()).filter(|at| front[*at] && uri[*at] == *lead) {
                        led[at + 1] = true;
                    }
                    front = run(*class, uri, led);
                    reached.iter_mut().zip(&front).for_each(|(all, new)| *all |= *new);
                }
                reached
            }
        }
    }
}

/// Spreads places to the right over characters of a class.
fn run(class: Class, uri: &[u8], mut reached: Vec<bool>) -> Vec<bool> {
    for at in 0..uri.len() {
        if reached[at] && class.has(uri[at]) {
            reached[at + 1] = true;
        }
    }
    reached
}

fn step(expression: &str) -> Result<Step, TemplateError> {
    let operator = expression.chars().next().ok_or(TemplateError::Empty)?;
    if expression.contains('{') {
        return Err(TemplateError::Unbalanced);
    }
    let variables = match operator {
        '+' | '#' | '.' | '/' | ';' | '?' | '&' => &expression[1..],
        '=' | ',' | '!' | '@' | '|' => return Err(TemplateError::Operator(operator)),
        _ => expression,
    };
    let (mut count, mut exploded) = (0, false);
    for variable in variables.split(',') {
        let name = variable.strip_suffix('*').or_else(|| variable.split(':').next()).unwrap_or(variable);
        if name.is_empty() {
            return Err(TemplateError::Empty);
        }
        exploded |= variable.ends_with('*');
        count += 1;
    }
    if count > MAX_EXPRESSIONS {
        return Err(TemplateError::TooLong);
    }
    Ok(match operator {
        '+' => Step::Run(Class::Any),
        '#' => Step::Led { lead: b'#', class: Class::Any, times: 1 },
        '.' => Step::Led { lead: b'.', class: Class::Segment, times: 1 },
        '/' if exploded => Step::Led { lead: b'/', class: Class::Path, times: 1 },
        '/' => Step::Led { lead: b'/', class: Class::Segment, times: count },
        ';' => Step::Led { lead: b';', class: Class::Segment, times: 1 },
        '?' => Step::Led { lead: b'?', class: Class::Query, times: 1 },
        '&' => Step::Led { lead: b'&', class: Class::Query, times: 1 },
        _ => Step::Run(Class::Segment),
    })
}
