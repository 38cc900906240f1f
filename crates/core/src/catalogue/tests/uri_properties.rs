use super::super::uri::{UriRouterBuilder, UriTemplate};
use proptest::{collection::vec, option, prelude::*, sample::select};
use std::{fmt::Write, sync::Arc};

/// A part of a template: literal text, or an operator with its variables' values (`None`: undefined).
#[derive(Clone, Debug)]
enum Part {
    Literal(String),
    Expression(Option<char>, Vec<(String, Option<String>)>),
}

fn part() -> impl Strategy<Value = Part> {
    let value = option::of(select(vec!["", "a", "a/b", "x y", "é", "100%", "?#&;=,.", "value"]).prop_map(str::to_owned));
    let variables = vec((select(vec!["v", "w", "user_id", "a.b"]).prop_map(str::to_owned), value), 1..4);
    let operator = select(vec![None, Some('+'), Some('#'), Some('.'), Some('/'), Some(';'), Some('?'), Some('&')]);
    prop_oneof![
        select(vec!["/", "a", "/files/", "-", ".txt", "?fixed=1"]).prop_map(|text| Part::Literal(text.to_owned())),
        (operator, variables).prop_map(|(operator, variables)| Part::Expression(operator, variables)),
    ]
}

fn template(parts: &[Part]) -> String {
    let mut text = "m://h".to_owned();
    for part in parts {
        match part {
            Part::Literal(literal) => text.push_str(literal),
            Part::Expression(operator, variables) => {
                let names: Vec<&str> = variables.iter().map(|(name, _)| name.as_str()).collect();
                write!(text, "{{{}{}}}", operator.map(String::from).unwrap_or_default(), names.join(",")).unwrap();
            }
        }
    }
    text
}

fn encode(value: &str, reserved: bool) -> String {
    let keeps = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b) || (reserved && b":/?#[]@!$&'()*+,;=".contains(&b));
    value.bytes().fold(String::new(), |mut out, b| {
        if keeps(b) {
            out.push(b.into());
        } else {
            write!(out, "%{b:02X}").unwrap();
        }
        out
    })
}

/// The expansion by RFC 6570, appendix A, for string values.
fn expand(parts: &[Part]) -> String {
    let mut text = "m://h".to_owned();
    for part in parts {
        match part {
            Part::Literal(literal) => text.push_str(literal),
            Part::Expression(operator, variables) => {
                let (first, separator, named, if_empty, reserved) = match operator {
                    None => ("", ",", false, "", false),
                    Some('+') => ("", ",", false, "", true),
                    Some('#') => ("#", ",", false, "", true),
                    Some('.') => (".", ".", false, "", false),
                    Some('/') => ("/", "/", false, "", false),
                    Some(';') => (";", ";", true, "", false),
                    Some('?') => ("?", "&", true, "=", false),
                    _ => ("&", "&", true, "=", false),
                };
                let defined = variables.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
                let values: Vec<String> = defined
                    .map(|(name, value)| match (named, value.as_str()) {
                        (false, value) => encode(value, reserved),
                        (true, "") => format!("{name}{if_empty}"),
                        (true, value) => format!("{name}={}", encode(value, reserved)),
                    })
                    .collect();
                if !values.is_empty() {
                    text.push_str(first);
                    text.push_str(&values.join(separator));
                }
            }
        }
    }
    text
}

/// The same question answered by trying everything: exponential, and therefore easy to believe.
fn by_trying(parts: &[Part], uri: &str) -> bool {
    let Some((part, rest)) = parts.split_first() else { return uri.is_empty() };
    let Part::Expression(operator, variables) = part else {
        let Part::Literal(literal) = part else { return false };
        return uri.strip_prefix(literal.as_str()).is_some_and(|uri| by_trying(rest, uri));
    };
    let fits = |text: &str| match operator {
        None => !text.contains(['/', '?', '#']),
        Some('+') => true,
        Some('/') => {
            text.is_empty() || (text.starts_with('/') && !text.contains(['?', '#']) && text.matches('/').count() <= variables.len())
        }
        Some(lead @ ('.' | ';')) => text.is_empty() || (text.starts_with(*lead) && !text.contains(['/', '?', '#'])),
        Some('#') => text.is_empty() || text.starts_with('#'),
        Some(lead) => text.is_empty() || (text.starts_with(*lead) && !text.contains('#')),
    };
    (0..=uri.len()).filter(|at| uri.is_char_boundary(*at)).any(|at| fits(&uri[..at]) && by_trying(rest, &uri[at..]))
}

proptest! {
    #[test]
    fn every_expansion_of_a_template_matches_it(parts in vec(part(), 0..6)) {
        let (template, uri) = (template(&parts), expand(&parts));
        let mut work = usize::MAX;
        prop_assert!(UriTemplate::parse(&template).unwrap().matches(&uri, &mut work), "{} {}", template, uri);
        let mut router = UriRouterBuilder::default();
        let text: Arc<str> = template.as_str().into();
        router.template(&text, UriTemplate::parse(&template).ok(), 3);
        prop_assert_eq!(router.build().resource(&uri), Some(3));
    }

    #[test]
    fn a_uri_matches_exactly_when_trying_everything_finds_a_way(parts in vec(part(), 0..4), uri in "m://h[ab/?#&;.,-]{0,9}") {
        let found = UriTemplate::parse(&template(&parts)).unwrap().matches(&uri, &mut usize::MAX.clone());
        prop_assert_eq!(found, by_trying(&parts, uri.strip_prefix("m://h").unwrap()), "{} {}", template(&parts), uri);
    }

    #[test]
    fn any_text_is_read_as_a_template_or_refused_without_a_panic(text in "[a-z:/{}+#.,*]{0,40}|\\PC{0,40}", uri in "\\PC{0,40}") {
        if let Ok(template) = UriTemplate::parse(&text) {
            template.matches(&uri, &mut 10_000);
        }
    }
}
