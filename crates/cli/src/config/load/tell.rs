//! Problems of the merged configuration as findings: in the file's own words and at its places, without what came from the environment.

use super::Loader;
use crate::config::{finding::Finding, layers::Kind, redact::redacted};
use vmcp_core::config::{Problem, Severity, follows_from, is_within, slug};

impl Loader<'_> {
    /// Adds problems of the merged configuration, but none that follows from what was spoken of already. Whether none of them is an error.
    pub(super) fn say(&mut self, problems: Vec<Problem>) -> bool {
        let mut sound = true;
        for problem in problems {
            let mut written = problem.clone();
            written.path = self.written(&problem.path);
            if [&problem, &written].iter().all(|problem| !follows_from(problem, &self.document.silenced)) {
                sound &= problem.severity != Severity::Error;
                self.push(self.kind(&problem.path), written);
            }
        }
        sound
    }

    /// Where that stands which the configuration has at `path`: under a misspelt key, it may be elsewhere.
    fn written(&self, path: &str) -> String {
        let mut path = path.to_owned();
        // From the inside out.
        while let Some((own, written)) = self.misspelt.iter().filter(|(own, _)| is_within(&path, own)).max_by_key(|(own, _)| own.len()) {
            path = format!("{written}{}", &path[own.len()..]);
        }
        path
    }

    pub(super) fn push(&mut self, kind: Option<Kind>, mut problem: Problem) {
        self.redact(&mut problem);
        let finding = match (kind, self.merged.origin(&problem.path)) {
            (Some(Kind::Environment | Kind::Flag), Some((_, name))) => Finding::new(name, None, problem),
            _ => {
                problem.path = self.document.in_file(&problem.path);
                // Other places that the text speaks of.
                for (own, file) in self.document.renames.iter().filter(|(own, _)| own.starts_with("backends[")) {
                    problem.message = problem.message.replace(&format!("{own}."), &format!("{file}."));
                }
                let place = self.document.places.nearest(&problem.path);
                Finding::new(self.name.clone(), place, problem)
            }
        };
        self.findings.push(finding);
    }

    /// Puts the variable's name where a message has its value.
    fn redact(&self, problem: &mut Problem) {
        let texts = self.interpolated.texts.iter();
        let near = texts.filter(|(path, _)| is_within(path, &problem.path) || is_within(&problem.path, path)).flat_map(|(_, names)| names);
        let near: Vec<&String> = near.collect();
        for text in std::iter::once(&mut problem.message).chain(problem.hint.as_mut()) {
            for (value, name) in &self.interpolated.values {
                // A hint may have the value in the form that a name would have.
                for form in std::iter::once(value.clone()).chain(slug(value)) {
                    *text = redacted(text, &form, name, near.contains(&name));
                }
            }
        }
    }
}
