//! `vmcp authz`: what the policies of a configuration say, without serving anything.

use super::person::{Person, object, usage};
use crate::{
    args::{ConfigArgs, EndpointArgs},
    config::{Environment, Finding, Secrets, at_endpoint, authorizer, load},
    error::Failure,
    terminal::{self, Terminal},
};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use vmcp_core::{
    catalogue::{Rules, Unlisted},
    config::Config,
    plugin::{Action, Question},
};

/// Explains what callers may do.
#[derive(Args, Debug)]
pub(crate) struct Authz {
    #[command(subcommand)]
    action: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Say whether a caller may do something, and which policies decide it
    ///
    /// Exit code 0: allowed; 1: denied; 2: the question or the configuration cannot be used. No backend is asked, so what a server says of
    /// its tool is not known unless it is given with --annotations.
    Explain(Explain),
}

#[derive(Args, Debug)]
struct Explain {
    /// Who calls: a file with the claims of a token as a JSON object; `iss` and `sub` say who it is
    #[arg(long = "as", value_name = "CLAIMS.json")]
    claims: PathBuf,
    /// The tool, as clients know it; with --prompt a prompt, with --resource a URI
    #[arg(value_name = "NAME")]
    name: String,
    /// Ask about a prompt
    #[arg(long, conflicts_with = "resource")]
    prompt: bool,
    /// Ask about a resource
    #[arg(long)]
    resource: bool,
    /// The arguments of a call; without them, whether it is listed is asked
    #[arg(long, value_name = "JSON")]
    args: Option<String>,
    /// What the server says of its tool under `annotations`
    #[arg(long, value_name = "JSON")]
    annotations: Option<String>,
    /// The backend that has it, where that does not follow from the name
    #[arg(long, value_name = "NAME")]
    of: Option<String>,
    /// Print an object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    endpoint: EndpointArgs,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Authz {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<(), Failure> {
        let What::Explain(explain) = self.action;
        explain.run(terminal)
    }
}

impl Explain {
    fn run(self, terminal: &Terminal) -> Result<(), Failure> {
        let (person, arguments, annotations) = (Person::read(&self.claims)?, self.arguments()?, self.annotations()?);
        let loaded = load(&self.config.clone().request(Secrets::Optional)).into_loaded().map_err(|findings| {
            terminal.findings(&findings);
            usage("the configuration cannot be used")
        })?;
        terminal.findings(&loaded.findings.into_iter().filter(Finding::is_error).collect::<Vec<_>>());
        let config = at_endpoint(loaded.config, self.endpoint.endpoint.as_deref()).map_err(|error| usage(&error.to_string()))?;
        let built = authorizer(&config, &Environment::of_process());
        let built = built.map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            usage(&lines.join("\n"))
        })?;
        let Some(authorizer) = built.authorizer else {
            return Err(usage("the configuration has no `incomingAuth.authz`, so everybody may do everything"));
        };
        let caller = person.identity(&*built.authenticator)?;
        let backend = self.backend(&config)?;
        let mut question = Question::new(caller.principal(), caller.claims(), self.action(), &self.name);
        (question.server, question.backend, question.groups) = (&config.name, &backend, caller.groups());
        (question.arguments, question.annotations, question.is_call) = (arguments.as_ref(), annotations.as_ref(), arguments.is_some());
        let decision = authorizer.decide(&question);
        let word = if decision.is_allowed { "allowed" } else { "denied" };
        if self.json {
            terminal::print(json!({
                "decision": word,
                "asked": if question.is_call { "call" } else { "list" },
                "policies": decision.reasons,
                "errors": decision.errors,
                "backend": backend,
            }))?;
        } else {
            let by = match decision.reasons.as_slice() {
                [] => "no policy permits it".to_owned(),
                ids => format!("by {}", ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")),
            };
            terminal::print(format_args!("{word}: {by}"))?;
            for error in &decision.errors {
                terminal::print(format_args!("not evaluated: {error}"))?;
            }
        }
        if decision.is_allowed { Ok(()) } else { Err(Failure::Reported) }
    }

    fn action(&self) -> Action {
        match (self.prompt, self.resource) {
            (true, _) => Action::GetPrompt,
            (_, true) => Action::ReadResource,
            _ => Action::CallTool,
        }
    }

    fn arguments(&self) -> Result<Option<Map<String, Value>>, Failure> {
        match (&self.args, self.resource) {
            (None, _) => Ok(None),
            (Some(_), true) => Err(usage("--args: a resource is read without arguments; leave it out")),
            (Some(text), _) => object("--args", text).map(Some),
        }
    }

    fn annotations(&self) -> Result<Option<Map<String, Value>>, Failure> {
        self.annotations.as_deref().map(|text| object("--annotations", text)).transpose()
    }

    /// The backend that has it, as far as that follows from the configuration; empty where it does not.
    fn backend(&self, config: &Config) -> Result<String, Failure> {
        let names: Vec<&str> = config.backends.iter().map(|backend| backend.name.as_str()).collect();
        if let Some(given) = &self.of {
            return match names.contains(&given.as_str()) {
                true => Ok(given.clone()),
                false => Err(usage(&format!("--of: there is no backend `{given}`; there are {}", names.join(", ")))),
            };
        }
        let Ok(rules) = Rules::compile(&config.aggregation, &names) else { return Ok(String::new()) };
        let nobody_listed = vec![false; names.len()];
        let owner = match self.action() {
            Action::CallTool => rules.unlisted_tool(&self.name, &nobody_listed),
            Action::GetPrompt => rules.unlisted_prompt(&self.name, &nobody_listed),
            _ => rules.unlisted_resource(&self.name, &nobody_listed),
        };
        let place = match owner {
            Unlisted::Route { backend, .. } => Some(backend),
            Unlisted::AskFirst(owners) if owners.len() == 1 => owners.first().copied(),
            Unlisted::AskFirst(_) | Unlisted::Unknown => None,
        };
        Ok(place.and_then(|place| names.get(place)).copied().unwrap_or_default().to_owned())
    }
}
