//! The endpoint that a session belongs to.

use std::sync::Arc;

/// One of a gateway's endpoints, by what stays the same over a reload and in another process. A session is good at the endpoint that
/// opened it and nowhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EndpointId {
    /// The one of all backends.
    Main,
    /// The one of a single backend, by its name.
    Backend(Arc<str>),
    /// One under `endpoints`, by its path.
    Named(Arc<str>),
}

impl EndpointId {
    /// Whether both look at the same lists: the endpoints of single backends look at the main one's.
    pub(crate) fn shares_lists_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Named(path), Self::Named(other)) => path == other,
            (Self::Main | Self::Backend(_), Self::Main | Self::Backend(_)) => true,
            _ => false,
        }
    }

    /// What a session id is sealed together with, so that it opens at this endpoint only. No two endpoints have the same.
    pub(crate) fn seal(&self) -> String {
        match self {
            Self::Main => String::new(),
            Self::Backend(name) => format!(" of backend {name}"),
            Self::Named(path) => format!(" at {path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_endpoints_are_sealed_alike() {
        let all = [
            EndpointId::Main,
            EndpointId::Backend("a".into()),
            EndpointId::Backend("b".into()),
            EndpointId::Named("/a".into()),
            EndpointId::Named("/b".into()),
        ];
        for one in &all {
            assert_eq!(all.iter().filter(|other| other.seal() == one.seal()).count(), 1, "{one:?}");
        }
    }

    #[test]
    fn the_endpoints_of_single_backends_look_at_the_main_ones_lists_and_named_ones_at_their_own() {
        let (main, one, named) = (EndpointId::Main, EndpointId::Backend("a".into()), EndpointId::Named("/a".into()));
        assert!(main.shares_lists_with(&one) && one.shares_lists_with(&EndpointId::Backend("b".into())));
        assert!(named.shares_lists_with(&named) && !named.shares_lists_with(&EndpointId::Named("/b".into())));
        assert!(!named.shares_lists_with(&one) && !main.shares_lists_with(&named));
    }
}
