//! What is wrong with a command line, on one line that says what to write instead.
//!
//! What was given is quoted only where it cannot be a secret: a header that lost its quotes falls apart into arguments.

use crate::table::plain;
use clap::{
    Command, Error,
    error::{ContextKind, ContextValue, ErrorKind},
};
use std::{error::Error as _, ffi::OsString};

/// The longest text that is quoted, in bytes.
const LONGEST: usize = 40;

/// The line.
pub(crate) fn line(error: &Error, command: &Command, arguments: &[OsString]) -> String {
    let wrong = Wrong { error, at: At::find(command, arguments) };
    plain(&match error.kind() {
        ErrorKind::InvalidSubcommand => wrong.subcommand(),
        ErrorKind::MissingSubcommand => format!("no command is given; see {}", wrong.at.help()),
        ErrorKind::UnknownArgument => wrong.argument(),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => wrong.value(),
        ErrorKind::TooManyValues => format!("`{}` takes no value; see {}", wrong.name(), wrong.at.help()),
        ErrorKind::MissingRequiredArgument => {
            format!("{} is missing; see {}", list(&wrong.names(ContextKind::InvalidArg), "and"), wrong.at.help())
        }
        ErrorKind::ArgumentConflict => wrong.conflict(),
        ErrorKind::InvalidUtf8 => format!("an argument is not UTF-8; see {}", wrong.at.help()),
        _ => format!("the command line is wrong; see {}", wrong.at.help()),
    })
}

/// The command that was meant, as far as it is known.
struct At<'a> {
    /// `vmcp tools ls`.
    path: String,
    command: &'a Command,
}

impl<'a> At<'a> {
    fn find(command: &'a Command, arguments: &[OsString]) -> Self {
        let mut at = Self { path: command.get_name().to_owned(), command };
        for word in arguments.iter().skip(1).map_while(|word| word.to_str()).take_while(|word| *word != "--") {
            // `vmcp help serve` is about `vmcp serve`.
            if word == "help" {
                continue;
            }
            if let Some(command) = at.command.find_subcommand(word) {
                at = Self { path: format!("{} {}", at.path, command.get_name()), command };
            }
        }
        at
    }

    fn help(&self) -> String {
        format!("`{} --help`", self.path)
    }

    fn takes_headers(&self) -> bool {
        self.command.get_arguments().any(|argument| argument.get_long() == Some("header"))
    }
}

struct Wrong<'a> {
    error: &'a Error,
    at: At<'a>,
}

impl Wrong<'_> {
    fn texts(&self, kind: ContextKind) -> Vec<String> {
        match self.error.get(kind) {
            Some(ContextValue::String(text)) => vec![text.clone()],
            Some(ContextValue::Strings(texts)) => texts.clone(),
            Some(ContextValue::StyledStrs(texts)) => texts.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        }
    }

    fn text(&self, kind: ContextKind) -> Option<String> {
        self.texts(kind).into_iter().find(|text| !text.is_empty())
    }

    fn names(&self, kind: ContextKind) -> Vec<String> {
        self.texts(kind).iter().map(|text| name(text)).collect()
    }

    /// The argument that it is about.
    fn name(&self) -> String {
        self.names(ContextKind::InvalidArg).pop().unwrap_or_default()
    }

    fn subcommand(&self) -> String {
        let given = self.text(ContextKind::InvalidSubcommand).filter(|given| is_word(given));
        let given = given.map_or_else(|| "no such command".to_owned(), |given| format!("no command `{given}`"));
        match self.text(ContextKind::SuggestedSubcommand) {
            Some(similar) => format!("{given}; did you mean `{similar}`?"),
            None => format!("{given}; see {}", self.at.help()),
        }
    }

    fn argument(&self) -> String {
        let given = self.text(ContextKind::InvalidArg).unwrap_or_default();
        let is_flag = given.starts_with('-');
        let given = given.split('=').next().unwrap_or_default();
        if !is_flag && self.at.takes_headers() {
            // What lost its quotes may be a header's value.
            return format!("an argument too many; write a header in quotes, -H 'name: value', and see {}", self.at.help());
        }
        let quoted = if is_word(given) { format!(" `{given}`") } else { String::new() };
        // `'serve --port' exists`: it stands before the command that has it.
        let elsewhere = self.text(ContextKind::Suggested).and_then(|text| {
            let found = text.strip_suffix("exists")?.trim().trim_matches('\'').to_owned();
            let (command, flag) = found.split_once(' ')?;
            let path = self.at.path.strip_suffix(command).map_or(self.at.path.as_str(), str::trim_end);
            Some(format!("{path} {command} {flag}"))
        });
        match self.text(ContextKind::SuggestedArg).or(elsewhere) {
            Some(similar) => format!("unexpected argument{quoted}; did you mean `{similar}`?"),
            None => format!("unexpected argument{quoted}; see {}", self.at.help()),
        }
    }

    fn value(&self) -> String {
        let name = self.name();
        let words = self.texts(ContextKind::ValidValue);
        let advice = match (self.text(ContextKind::SuggestedValue), self.error.source()) {
            (Some(similar), _) => format!("did you mean `{similar}`?"),
            (None, Some(source)) => source.to_string(),
            (None, None) if !words.is_empty() => format!("write {}", list(&words, "or")),
            (None, None) => format!("see {}", self.at.help()),
        };
        match self.text(ContextKind::InvalidValue) {
            None => format!("`{name}` needs a value; {advice}"),
            Some(value) if is_word(&value) => format!("`{value}` cannot be the value of `{name}`; {advice}"),
            Some(_) => format!("that cannot be the value of `{name}`; {advice}"),
        }
    }

    fn conflict(&self) -> String {
        let name = self.name();
        let others = self.names(ContextKind::PriorArg);
        if others.contains(&name) {
            return format!("`{name}` is given more than once; give it once");
        }
        let others: Vec<String> = others.iter().map(|other| format!("`{other}`")).collect();
        let others = if others.is_empty() { "another argument".to_owned() } else { list(&others, "and") };
        format!("`{name}` does not go together with {others}; leave one out")
    }
}

/// A text that may be quoted: a word, a number, a flag, a path.
fn is_word(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'))
}

/// `--port` of `--port <PORT>`, `FILE` of `[FILE]`.
fn name(argument: &str) -> String {
    let word = argument.split([' ', '=']).next().unwrap_or_default();
    word.trim_matches(['<', '>', '[', ']', '.']).to_owned()
}

/// `a, b or c`.
fn list(words: &[String], last: &str) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}
