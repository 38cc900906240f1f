//! File, environment and flags to one checked configuration, with everything that is wrong with it.

mod tell;

use super::{
    check::{Secrets, check_everything},
    document::Document,
    environment::{Environment, scalar},
    finding::Finding,
    flags::Flags,
    foreign,
    interpolate::Interpolated,
    layers::{Kind, Layer, Merged},
    locate,
    stand_in::stand_in,
};
use serde_json::{Map, Value};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use vmcp_core::config::{Config, Problem, Reading, Shape, TextSite, Wanted};

/// Where a configuration is to come from.
#[derive(Clone)]
pub(crate) struct Request {
    /// The file; when left out, the usual places are searched.
    pub(crate) file: Option<PathBuf>,
    pub(crate) flags: Flags,
    pub(crate) environment: Environment,
    pub(crate) secrets: Secrets,
}

/// A configuration that can be used.
pub(crate) struct Loaded {
    pub(crate) config: Config,
    /// Warnings and notes.
    pub(crate) findings: Vec<Finding>,
    pub(crate) sources: Sources,
}

/// What a configuration was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sources {
    pub(crate) file: Option<PathBuf>,
    /// Names of environment variables and flags.
    pub(crate) others: Vec<String>,
}

/// What came of loading.
pub(crate) struct Report {
    /// There when its shape is right; whether it can be used, the findings say.
    config: Option<Config>,
    /// There when it could be read, whether it can be used or not.
    draft: Option<Config>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) sources: Sources,
}

impl Report {
    /// The configuration as far as it could be read, to show what it would do, and everything there is to say about it.
    pub(crate) fn into_draft(self) -> (Option<Config>, Vec<Finding>) {
        (self.draft, self.findings)
    }

    /// The configuration, if there is nothing in the way of using it.
    pub(crate) fn into_loaded(self) -> Result<Loaded, Vec<Finding>> {
        match self.config {
            Some(config) if !self.findings.iter().any(Finding::is_error) => {
                Ok(Loaded { config, findings: self.findings, sources: self.sources })
            }
            _ => Err(self.findings),
        }
    }
}

/// Loads a configuration and says everything that is wrong with it.
pub(crate) fn load(request: &Request) -> Report {
    let mut loader = Loader::new(request);
    let config = loader.load();
    loader.report(config)
}

struct Loader<'a> {
    request: &'a Request,
    file: Option<PathBuf>,
    /// What the file is called in findings.
    name: Arc<str>,
    document: Document,
    interpolated: Interpolated,
    merged: Merged,
    draft: Option<Config>,
    /// Paths of what was written under a misspelt key, with the paths where it was written.
    misspelt: Vec<(String, String)>,
    findings: Vec<Finding>,
    others: Vec<String>,
}

impl<'a> Loader<'a> {
    fn new(request: &'a Request) -> Self {
        Self {
            request,
            file: None,
            name: "configuration".into(),
            document: Document::default(),
            interpolated: Interpolated::default(),
            merged: Merged::default(),
            draft: None,
            misspelt: Vec::new(),
            findings: Vec::new(),
            others: Vec::new(),
        }
    }

    fn load(&mut self) -> Option<Config> {
        let Request { flags, environment, secrets, .. } = self.request;
        let shape = Shape::new(&vmcp_auth::registries());
        let mut layers = vec![self.file()?];
        let (variables, findings) = environment.layers(&shape, &self.interpolated.mentioned);
        self.findings.extend(findings);
        layers.extend(variables);
        let below = Merged::new(layers.clone());
        layers.extend(flags.layers(&below));
        self.others = layers.iter().skip(1).map(|layer| layer.name().to_owned()).collect();
        self.merged = Merged::new(layers);
        if self.merged.value.get("backends").is_none() {
            // A variable that was to hold them all and cannot be read is no lack of them.
            if self.findings.iter().any(|finding| finding.path == "backends") {
                self.merged.value["backends"] = Value::Array(Vec::new());
                self.document.silenced.push("backends".to_owned());
            } else if self.file.is_none() {
                self.nothing();
                return None;
            }
        }
        self.settle(&shape);
        self.missing();
        let value = self.merged.value.clone();
        let reading = shape.read_what_fits(value, &|path| self.is_hidden(path), &|path| self.is_filled(path));
        let Reading { config, problems, replaced, misspelt, .. } = reading;
        let fits = problems.is_empty();
        self.say(problems);
        self.document.silenced.extend(replaced);
        self.misspelt = misspelt;
        let config = config?;
        if fits {
            self.draft = Some(config.clone());
        }
        let usable = self.say(check_everything(&config, environment, *secrets));
        (fits && usable).then_some(config)
    }

    /// Reads the file, if there is one, into vmcp's own form, with its variables replaced.
    fn file(&mut self) -> Option<Layer> {
        let Request { file, flags, environment, .. } = self.request;
        self.file = match file {
            Some(file) => Some(file.clone()),
            // Backends on the command line are a configuration of their own.
            None if !flags.backends.is_empty() => None,
            None => locate::find(&locate::folders(environment)),
        };
        let Some(file) = self.file.clone() else { return Some(Layer::file("", Map::new())) };
        self.name = file.display().to_string().into();
        let (syntax, text) = match locate::read(&file) {
            Ok(read) => read,
            Err(error) => {
                self.findings.push(Finding::new(self.name.clone(), None, Problem::error("", format!("cannot be read: {error}"))));
                return None;
            }
        };
        let documents = match syntax.parse(&text) {
            Ok(documents) => documents,
            Err(errors) => {
                let found = errors.into_iter().map(|error| Finding::new(self.name.clone(), error.place, Problem::error("", error.message)));
                self.findings.extend(found);
                return None;
            }
        };
        let foreign::Converted { mut document, problems } = foreign::convert(documents);
        for problem in problems {
            let place = document.places.nearest(&problem.path);
            self.findings.push(Finding::new(self.name.clone(), place, problem));
        }
        let mut settings = document.value.take();
        self.interpolated = Interpolated::replace(&mut settings, environment);
        self.document = document;
        match settings {
            Value::Object(mut settings) => {
                settings.shift_remove("$schema");
                let problems = std::mem::take(&mut self.interpolated.problems);
                self.document.silenced.extend(problems.iter().map(|problem| problem.path.clone()));
                for problem in problems {
                    self.push(Some(Kind::File), problem);
                }
                Some(Layer::file(&*self.name, settings))
            }
            Value::Null => Some(Layer::file(&*self.name, Map::new())),
            _ => {
                self.findings.push(Finding::new(self.name.clone(), None, Problem::error("", "expected a map at the top")));
                None
            }
        }
    }

    fn nothing(&mut self) {
        let folders = locate::folders(&self.request.environment);
        let files: Vec<String> = folders.iter().map(|folder| Path::new(".").join(folder).join("vmcp.yaml").display().to_string()).collect();
        let message = format!("none found: neither {} is there", files.join(" nor "));
        let hint = "give --config FILE or --backend NAME=URL";
        self.findings.push(Finding::new(self.name.clone(), None, Problem::error("", message).with_hint(hint)));
    }

    /// Gives every text of the file its final form: what was a variable becomes the number it stands for, what lacks its variable
    /// something that fits, and a relative path starts at the file's folder.
    fn settle(&mut self, shape: &Shape) {
        let mut value = self.merged.value.take();
        let folder = self.file.as_deref().and_then(Path::parent).unwrap_or_else(|| Path::new(""));
        shape.edit_texts(&mut value, &mut |site: TextSite<'_>| {
            if self.kind(site.path) != Some(Kind::File) {
                return None;
            }
            if self.interpolated.is_unset(site.path) {
                return Some(stand_in(site));
            }
            match site.wanted {
                Wanted::Integer | Wanted::Boolean if self.interpolated.texts.contains_key(site.path) => {
                    Some(scalar(site.text, site.wanted))
                }
                Wanted::Text { format: Some("command"), .. } if !is_path(site.text) => None,
                Wanted::Text { format: Some("path" | "command"), .. } if !site.text.is_empty() => {
                    Some(folder.join(site.text).to_string_lossy().into_owned().into())
                }
                _ => None,
            }
        });
        self.merged.value = value;
    }

    /// Says which variables of the file are not set, where no later layer made up for it.
    fn missing(&mut self) {
        for (path, name) in std::mem::take(&mut self.interpolated.missing) {
            if self.kind(&path) != Some(Kind::File) {
                continue;
            }
            let message = format!("the environment variable `{name}` is not set");
            let problem = match self.request.secrets {
                Secrets::Optional => Problem::note(&path, message).with_hint("`vmcp serve` will need it"),
                Secrets::Required => Problem::error(&path, message).with_hint(format!("set it, or write ${{{name}:-default}}")),
            };
            self.push(Some(Kind::File), problem);
            self.document.silenced.push(path);
        }
    }

    fn kind(&self, path: &str) -> Option<Kind> {
        self.merged.origin(path).map(|(kind, _)| kind)
    }

    /// Whether what stands at `path` came from the environment.
    fn is_hidden(&self, path: &str) -> bool {
        match self.kind(path) {
            Some(Kind::File) => self.is_filled(path),
            Some(Kind::Environment) => true,
            Some(Kind::Flag) | None => false,
        }
    }

    /// Whether the file has a text at `path` into which a variable was put. Of a variable's default nothing is secret: it stands in the file.
    fn is_filled(&self, path: &str) -> bool {
        self.kind(path) == Some(Kind::File) && self.interpolated.texts.get(path).is_some_and(|names| !names.is_empty())
    }

    fn report(mut self, config: Option<Config>) -> Report {
        // In the order of the file; what has no place in it keeps its order and comes last.
        self.findings.sort_by_key(|finding| finding.place.map_or((1, 0, 0), |place| (0, place.line, place.column)));
        let mut seen = Vec::new();
        self.findings.retain(|finding| {
            let new = !seen.contains(finding);
            if new {
                seen.push(finding.clone());
            }
            new
        });
        Report { config, draft: self.draft, findings: self.findings, sources: Sources { file: self.file, others: self.others } }
    }
}

/// Whether a command is a path, and not a name that is looked up on the `PATH`.
fn is_path(command: &str) -> bool {
    command.contains(std::path::is_separator)
}

#[cfg(test)]
mod tests;
