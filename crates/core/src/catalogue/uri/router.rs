//! From a URI to the backend that it belongs to.

use super::{
    UriTemplate,
    origin::{of_template, of_uri},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// A longer URI is only looked up exactly.
const MAX_URI: usize = 8192;
/// What holding one URI against templates may cost, in bytes looked at.
pub(in crate::catalogue) const MAX_WORK: usize = 1 << 22;

/// Templates with one literal prefix, and their backends.
type Candidates = Vec<(UriTemplate, usize)>;

/// Three ways from a URI to a backend: exactly, by template, by who alone lists its scheme and authority.
#[derive(Debug, Default)]
pub(in crate::catalogue) struct UriRouter {
    exact: HashMap<Arc<str>, usize>,
    templates: HashMap<Arc<str>, usize>,
    /// By length of the literal prefix, the longest first; then by that prefix; then in configuration order.
    by_prefix: BTreeMap<Reverse<usize>, HashMap<Box<str>, Candidates>>,
    /// `None`: more than one backend.
    origins: HashMap<Box<str>, Option<usize>>,
    /// The URI at its backend of what has another one in the catalogue.
    originals: HashMap<Arc<str>, Arc<str>>,
}

/// Collects a [`UriRouter`]; everything is added in configuration order and the first one stays.
#[derive(Debug, Default)]
pub(in crate::catalogue) struct UriRouterBuilder(UriRouter);

impl UriRouterBuilder {
    /// A resource that a backend lists. The backend that already has the URI is returned, if there is one.
    pub(in crate::catalogue) fn resource(&mut self, uri: &Arc<str>, backend: usize) -> Option<usize> {
        if let Some(origin) = of_uri(uri) {
            self.lists(origin, backend);
        }
        claim(&mut self.0.exact, uri, backend)
    }

    /// A template that a backend lists; `template` is `None` where it cannot be routed by. The backend that already has the same one is
    /// returned.
    pub(in crate::catalogue) fn template(&mut self, text: &Arc<str>, template: Option<UriTemplate>, backend: usize) -> Option<usize> {
        let owner = claim(&mut self.0.templates, text, backend);
        let template = template?;
        if let Some(origin) = of_template(template.prefix(), template.is_literal()) {
            self.lists(origin, backend);
        }
        if owner.is_none() {
            let group = self.0.by_prefix.entry(Reverse(template.prefix().len())).or_default();
            group.entry(template.prefix().into()).or_default().push((template, backend));
        }
        owner
    }

    /// A second URI for a resource of a backend that calls it `original`. Whether it has it now: another resource may have it.
    pub(in crate::catalogue) fn alias(&mut self, uri: &Arc<str>, backend: usize, original: &str) -> bool {
        if let Some(owner) = claim(&mut self.0.exact, uri, backend) {
            return owner == backend && self.0.originals.get(uri).is_some_and(|known| **known == *original);
        }
        self.0.originals.insert(Arc::clone(uri), original.into());
        true
    }

    /// A resource that a backend has without listing it.
    pub(in crate::catalogue) fn unlisted(&mut self, uri: &Arc<str>, backend: usize) {
        claim(&mut self.0.exact, uri, backend);
    }

    /// Who lists a URI or a template for it. `work` is what may be spent on the answer.
    pub(in crate::catalogue) fn owner(&self, uri: &str, work: &mut usize) -> Option<usize> {
        self.0.exact.get(uri).copied().or_else(|| if uri.len() > MAX_URI { None } else { self.0.by_template(uri, work) })
    }

    fn lists(&mut self, origin: String, backend: usize) {
        self.0.origins.entry(origin.into()).and_modify(|only| *only = only.filter(|b| *b == backend)).or_insert(Some(backend));
    }

    pub(in crate::catalogue) fn build(self) -> UriRouter {
        self.0
    }
}

fn claim(owners: &mut HashMap<Arc<str>, usize>, key: &Arc<str>, backend: usize) -> Option<usize> {
    if let Some(owner) = owners.get(key) {
        return Some(*owner);
    }
    owners.insert(Arc::clone(key), backend);
    None
}

impl UriRouter {
    /// The backend of a resource.
    pub(in crate::catalogue) fn resource(&self, uri: &str) -> Option<usize> {
        if let Some(backend) = self.exact.get(uri) {
            return Some(*backend);
        }
        if uri.len() > MAX_URI {
            return None;
        }
        self.by_template(uri, &mut { MAX_WORK }).or_else(|| *self.origins.get(of_uri(uri)?.as_str())?)
    }

    /// The backend of a template, named by its own text.
    pub(in crate::catalogue) fn template(&self, text: &str) -> Option<usize> {
        self.templates.get(text).copied()
    }

    /// The URI at its backend, where it has another one there.
    pub(in crate::catalogue) fn original(&self, uri: &str) -> Option<&Arc<str>> {
        self.originals.get(uri)
    }

    fn by_template(&self, uri: &str, work: &mut usize) -> Option<usize> {
        self.by_prefix.iter().find_map(|(Reverse(length), group)| {
            let candidates = group.get(uri.get(..*length)?)?;
            candidates.iter().find(|(template, _)| template.matches(uri, work)).map(|(_, backend)| *backend)
        })
    }

    /// Roughly how many bytes it takes.
    pub(in crate::catalogue) fn weight(&self) -> usize {
        let keys: usize = self.exact.keys().chain(self.templates.keys()).chain(self.originals.values()).map(|key| key.len() + 48).sum();
        keys + self.templates.keys().map(|key| 2 * key.len() + 96).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(resources: &[(&str, usize)], templates: &[(&str, usize)]) -> UriRouter {
        let mut builder = UriRouterBuilder::default();
        for (uri, backend) in resources {
            builder.resource(&Arc::from(*uri), *backend);
        }
        for (template, backend) in templates {
            builder.template(&Arc::from(*template), UriTemplate::parse(template).ok(), *backend);
        }
        builder.build()
    }

    #[test]
    fn a_listed_uri_goes_before_every_template() {
        let router = router(&[("db://a/1", 1)], &[("db://a/{id}", 0)]);
        assert_eq!(router.resource("db://a/1"), Some(1));
        assert_eq!(router.resource("db://a/2"), Some(0));
    }

    #[test]
    fn the_template_with_the_longest_literal_prefix_wins() {
        let router = router(&[], &[("db://{+all}", 0), ("db://tables/{+t}", 1), ("db://tab{+t}", 2)]);
        assert_eq!(router.resource("db://tables/x"), Some(1));
        assert_eq!(router.resource("db://tabs"), Some(2));
        assert_eq!(router.resource("db://other"), Some(0));
    }

    #[test]
    fn of_two_equally_long_prefixes_the_first_backend_wins() {
        let router = router(&[], &[("db://a/{x}", 1), ("db://a/{y}", 2), ("db://a/{x}", 3)]);
        assert_eq!(router.resource("db://a/1"), Some(1));
        assert_eq!(router.template("db://a/{y}"), Some(2));
        assert_eq!(router.template("db://a/{x}"), Some(1));
    }

    #[test]
    fn a_longer_prefix_that_does_not_match_leaves_the_shorter_one() {
        let router = router(&[], &[("db://a/b/{x}/end", 0), ("db://a/{+x}", 1)]);
        assert_eq!(router.resource("db://a/b/c"), Some(1));
    }

    #[test]
    fn an_unlisted_uri_goes_to_the_only_backend_that_lists_its_scheme_and_authority() {
        let router = router(&[("file:///a", 0), ("memo://x/1", 1), ("file:///b", 0)], &[("memo://y/{z}/1", 2)]);
        assert_eq!(router.resource("file:///etc/c"), Some(0));
        assert_eq!(router.resource("MEMO://X/2"), Some(1));
        assert_eq!(router.resource("memo://y/2"), Some(2));
        assert_eq!(router.resource("memo://z/2"), None);
    }

    #[test]
    fn two_backends_that_list_one_scheme_and_authority_leave_a_uri_without_owner() {
        assert_eq!(router(&[("file:///a", 0), ("file:///b", 1), ("file:///c", 0)], &[]).resource("file:///d"), None);
    }

    #[test]
    fn a_template_that_is_none_routes_nothing() {
        let router = router(&[], &[("db://a/{", 0)]);
        assert_eq!(router.resource("db://a/x"), None);
        assert_eq!(router.template("db://a/{"), Some(0));
    }

    #[test]
    fn an_overlong_uri_is_only_found_exactly() {
        let long = format!("db://a/{}", "x".repeat(MAX_URI));
        let router = router(&[(&long, 1)], &[("db://a/{x}", 0)]);
        assert_eq!(router.resource(&long), Some(1));
        assert_eq!(router.resource(&format!("{long}x")), None);
    }

    #[test]
    fn a_thousand_templates_with_one_literal_prefix_are_all_tried() {
        let templates: Vec<String> = (0..1000).map(|i| format!("repo://{{owner}}/{{name}}/part-{i}/contents{{/path*}}")).collect();
        let router = router(&[], &templates.iter().enumerate().map(|(i, text)| (text.as_str(), i)).collect::<Vec<_>>());
        assert_eq!(router.resource("repo://somebody/something/part-999/contents/src/catalogue/uri/router.rs"), Some(999));
    }
}
