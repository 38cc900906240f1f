//! What a change of a list brings up that an operator should look at: in the log once, and in `/status` for as long as it is so.

use super::{Viewer, current::Views};
use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};
use vmcp_auth::Identity;
use vmcp_core::{CapabilitySet, Era};

/// The findings that the log has.
#[derive(Default)]
pub(super) struct Findings(Mutex<BTreeSet<String>>);

/// How many lines one change may cost.
const LINES: usize = 20;

impl Findings {
    /// The findings that were not there the last time, and how many more of them there are than are worth a line. One that went away is
    /// news when it comes back.
    fn news(&self, now: BTreeSet<String>) -> (Vec<String>, usize) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut news: Vec<String> = now.difference(&told).cloned().collect();
        let more = news.len().saturating_sub(LINES);
        news.truncate(LINES);
        *told = now;
        (news, more)
    }
}

impl Views {
    /// Logs what is new about the catalogue that everybody sees.
    pub(super) fn report(&self) {
        let viewer = Viewer { caller: &Identity::anonymous(), era: Era::Modern, capabilities: CapabilitySet::NONE, session: None };
        let catalogue = self.current(&viewer.key(&self.backends, None));
        let (news, more) = self.findings.news(catalogue.findings().iter().map(ToString::to_string).collect());
        for finding in news {
            tracing::warn!("{finding}");
        }
        if more > 0 {
            tracing::warn!("and {more} more findings like these; /status has all of them");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(texts: &[&str]) -> BTreeSet<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn a_finding_is_news_once_and_again_after_it_was_gone() {
        let findings = Findings::default();
        assert_eq!(findings.news(set(&["a", "b"])), (vec!["a".to_owned(), "b".to_owned()], 0));
        assert_eq!(findings.news(set(&["a", "b"])), (vec![], 0));
        assert_eq!(findings.news(set(&["b", "c"])), (vec!["c".to_owned()], 0));
        assert_eq!(findings.news(set(&["a", "b"])), (vec!["a".to_owned()], 0));
    }

    #[test]
    fn many_findings_at_once_cost_a_few_lines() {
        let texts: BTreeSet<String> = (0..100).map(|number| format!("{number:03}")).collect();
        let (news, more) = Findings::default().news(texts);
        assert_eq!((news.len(), more), (LINES, 100 - LINES));
    }
}
