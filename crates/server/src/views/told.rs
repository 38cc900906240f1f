//! What a client is told of that follows resources, when one changes at its backend.

use super::{catalogues::Merged, granted::policy_uri};
use std::borrow::Cow;

/// A resource that a client is told of: one that it follows, or a part of one. Servers may tell of parts (2025-11-25, schema
/// `ResourceUpdatedNotification`).
pub(crate) struct Told {
    uri: String,
    /// How much of it is the URI of what is followed.
    whole: usize,
}

impl Told {
    /// What is told of a backend's `theirs` to a client that follows these, each the backend's URI and the client's. Where one is a part of
    /// another, `theirs` is taken for what it is nearest to: itself, if that is followed.
    pub(crate) fn of<'f>(theirs: &str, followed: impl Iterator<Item = (&'f str, &'f str)>) -> Option<Self> {
        let parts = followed.filter_map(|(whole, ours)| Some((part_of(theirs, whole)?, ours)));
        let (part, ours) = parts.min_by_key(|(part, _)| part.len())?;
        Some(Self { uri: format!("{ours}{part}"), whole: ours.len() })
    }

    /// The client's URI for it.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    pub(crate) fn into_uri(self) -> String {
        self.uri
    }

    /// The URI by which policies know it ([`policy_uri`]). A part that leads to no resource of this backend's among all is called after the
    /// whole there too.
    pub(crate) fn known(&self, among_all: Option<&Merged>, backend: (usize, &str)) -> Cow<'_, str> {
        let is_own = || among_all.is_some_and(|all| all.catalogue.resource(&self.uri) == Some(backend.0));
        match (policy_uri(among_all, backend, &self.uri), self.uri.split_at_checked(self.whole)) {
            (Cow::Borrowed(_), Some((whole, part))) if !part.is_empty() && !is_own() => match policy_uri(among_all, backend, whole) {
                Cow::Borrowed(_) => Cow::Borrowed(&self.uri),
                Cow::Owned(whole) => Cow::Owned(whole + part),
            },
            (known, _) => known,
        }
    }
}

/// What a URI has behind that of the resource which it is a part of: nothing, where it is that resource.
fn part_of<'u>(uri: &'u str, whole: &str) -> Option<&'u str> {
    let part = uri.strip_prefix(whole)?;
    (part.is_empty() || whole.ends_with('/') || part.starts_with(['/', '?', '#'])).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLLOWED: [(&str, &str); 3] = [("ui://page", "ui://b/page"), ("ui://page/x", "ui://page/x"), ("note://all/", "note://all/")];

    fn told(theirs: &str) -> Option<String> {
        // In whichever order they are followed.
        let one = Told::of(theirs, FOLLOWED.into_iter()).map(|told| told.uri);
        assert_eq!(one, Told::of(theirs, FOLLOWED.into_iter().rev()).map(|told| told.uri));
        one
    }

    #[test]
    fn what_is_followed_itself_is_told_by_its_own_name_though_it_is_a_part_of_something_else() {
        assert_eq!(told("ui://page").as_deref(), Some("ui://b/page"));
        assert_eq!(told("ui://page/y").as_deref(), Some("ui://b/page/y"));
        assert_eq!(told("ui://page/x").as_deref(), Some("ui://page/x"));
        assert_eq!(told("ui://page/x#top").as_deref(), Some("ui://page/x#top"), "and so are its parts");
    }

    #[test]
    fn parts_are_told_and_what_only_begins_alike_is_not() {
        for part in ["note://all/1", "note://all/", "note://all/?x", "note://all/#x"] {
            assert_eq!(told(part).as_deref(), Some(part));
        }
        for other in ["note://all", "note://al", "ui://pages", "ui://pag", ""] {
            assert_eq!(told(other), None, "{other}");
        }
    }
}
