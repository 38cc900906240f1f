//! The methods whose parameters and results are carried untouched.

use crate::{admission::Asks, failure::Failure};
use std::borrow::Cow;
use vmcp_core::{
    Era,
    catalogue::ListKind,
    frame::{RawObject, json_string},
    plugin::Action,
};

/// A method that one backend answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    ToolsCall,
    ResourcesRead,
    PromptsGet,
    Complete,
}

/// What a request is about: what its owner lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Tool,
    Prompt,
    Resource,
    /// A template, named by its own text, or a resource.
    Template,
}

impl Carried {
    pub(crate) fn from_method(method: &str) -> Option<Self> {
        Some(match method {
            "tools/call" => Self::ToolsCall,
            "resources/read" => Self::ResourcesRead,
            "prompts/get" => Self::PromptsGet,
            "completion/complete" => Self::Complete,
            _ => return None,
        })
    }

    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::ToolsCall => "tools/call",
            Self::ResourcesRead => "resources/read",
            Self::PromptsGet => "prompts/get",
            Self::Complete => "completion/complete",
        }
    }

    /// The parameter that says which backend owns the request.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::ToolsCall | Self::PromptsGet => "name",
            Self::ResourcesRead => "uri",
            Self::Complete => "ref",
        }
    }

    /// The parameter that `Mcp-Name` repeats (2026-07-28, basic/transports/streamable-http).
    pub(crate) fn mirrored(self) -> Option<&'static str> {
        (self != Self::Complete).then(|| self.key())
    }

    /// What the request is about, and its name or URI as the caller knows it.
    pub(super) fn subject<'a>(self, params: &RawObject<'a>) -> Result<(Subject, Cow<'a, str>), Failure> {
        let subject = match self {
            Self::ToolsCall => Subject::Tool,
            Self::ResourcesRead => Subject::Resource,
            Self::PromptsGet => Subject::Prompt,
            Self::Complete => return reference(params),
        };
        let name = params.get_str(self.key());
        Ok((subject, name.ok_or_else(|| Failure::invalid_params(&format!("`{}` has to be a string", self.key())))?))
    }

    /// What the caller wants of the subject, for whoever decides whether it may.
    pub(super) fn asks<'a>(self, params: &RawObject<'a>) -> Result<Asks<'a>, Failure> {
        let arguments = params.get("arguments");
        match self {
            // Its arguments are not complete.
            Self::Complete => Ok(Asks::Look),
            Self::ToolsCall | Self::PromptsGet if arguments.is_some_and(|arguments| !arguments.starts_with('{')) => {
                Err(Failure::invalid_params("`arguments` has to be an object"))
            }
            _ => Ok(Asks::Call(arguments)),
        }
    }

    /// Whether its result may ask for input (2026-07-28, basic/patterns/mrtr).
    pub(super) fn can_ask(self) -> bool {
        self != Self::Complete
    }

    /// The JSON text that its parameter [`Self::key`] has at a backend that calls the subject `original`.
    pub(super) fn renamed(self, params: &RawObject<'_>, original: &str) -> Option<String> {
        let mut literal = Vec::with_capacity(original.len() + 2);
        json_string(original, &mut literal);
        let literal = String::from_utf8(literal).ok()?;
        if self != Self::Complete {
            return Some(literal);
        }
        let object = params.get_object("ref")?;
        let member = if object.get("name").is_some() && object.get_str("type")? == "ref/prompt" { "name" } else { "uri" };
        let mut out = Vec::with_capacity(object.text().len() + literal.len());
        object.write(&[vmcp_core::frame::Edit::Set(member, &literal)], &mut out);
        String::from_utf8(out).ok()
    }
}

/// What is to be completed (2025-11-25 and 2026-07-28, server/utilities/completion).
fn reference<'a>(params: &RawObject<'a>) -> Result<(Subject, Cow<'a, str>), Failure> {
    let wrong = || Failure::invalid_params("`ref` has to be a ref/prompt with a `name` or a ref/resource with a `uri`");
    let object = params.get_object("ref").ok_or_else(wrong)?;
    let (subject, name) = match object.get_str("type").as_deref() {
        Some("ref/prompt") => (Subject::Prompt, object.get_str("name")),
        Some("ref/resource") => (Subject::Template, object.get_str("uri")),
        _ => return Err(wrong()),
    };
    if !params.get("argument").is_some_and(|argument| argument.starts_with('{')) {
        return Err(Failure::invalid_params("`argument` has to be an object with `name` and `value`"));
    }
    Ok((subject, name.ok_or_else(wrong)?))
}

impl Subject {
    /// What somebody wants to do who asks for it.
    pub(super) fn action(self) -> Action {
        match self {
            Self::Tool => Action::CallTool,
            Self::Prompt => Action::GetPrompt,
            Self::Resource | Self::Template => Action::ReadResource,
        }
    }

    /// Nobody has it, or not for this caller: the two look alike.
    pub(super) fn unknown(self, name: &str, era: Era) -> Failure {
        match self {
            Self::Tool => Failure::unknown("tool", name),
            Self::Prompt => Failure::unknown("prompt", name),
            Self::Template => Failure::unknown("resource or template", name),
            Self::Resource => Failure::unknown_resource(name, era),
        }
    }

    /// The lists in which its owner can stand.
    pub(super) fn lists(self) -> &'static [ListKind] {
        match self {
            Self::Tool => &[ListKind::Tools],
            Self::Prompt => &[ListKind::Prompts],
            Self::Resource | Self::Template => &[ListKind::Resources, ListKind::ResourceTemplates],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(params: &str) -> Result<(Subject, String), i64> {
        let params = RawObject::parse(params).unwrap();
        let subject = Carried::Complete.subject(&params);
        subject.map(|(subject, name)| (subject, name.into_owned())).map_err(|failure| failure.code())
    }

    #[test]
    fn a_completion_is_about_what_its_reference_names() {
        let argument = r#""argument":{"name":"a","value":"b"}"#;
        let complete = |reference: &str| subject(&format!(r#"{{"ref":{reference},{argument}}}"#));
        assert_eq!(complete(r#"{"type":"ref/prompt","name":"x_p"}"#), Ok((Subject::Prompt, "x_p".to_owned())));
        assert_eq!(complete(r#"{"type":"ref/resource","uri":"a://{b}"}"#), Ok((Subject::Template, "a://{b}".to_owned())));
        for wrong in [r#"{"type":"ref/tool","name":"t"}"#, r#"{"type":"ref/prompt"}"#, r#"{"type":"ref/resource","name":"x"}"#, "1", "{}"] {
            assert_eq!(complete(wrong), Err(-32602), "{wrong}");
        }
        assert_eq!(subject(r#"{"ref":{"type":"ref/prompt","name":"p"}}"#), Err(-32602));
    }

    #[test]
    fn only_the_name_inside_a_reference_is_another_one_at_the_backend() {
        let params = RawObject::parse(r#"{"ref":{ "type":"ref/prompt" , "name":"x_p","title":1.0}}"#).unwrap();
        let renamed = Carried::Complete.renamed(&params, "p\"").unwrap();
        assert_eq!(renamed, r#"{"type":"ref/prompt","name":"p\"","title":1.0}"#);
    }
}
