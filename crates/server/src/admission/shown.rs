//! Catalogues as callers may see them.

use super::{
    decided::{Admission, Who},
    grant::Grant,
    item::action,
};
use crate::views::Merged;
use std::{borrow::Cow, sync::Arc, time::Duration};
use vmcp_core::{
    PartsHasher,
    catalogue::{Catalogue, ListKind, Selection},
    plugin::Action,
};

/// How many bytes of cut down catalogues are kept, and of decisions.
const CATALOGUE_BYTES: u64 = 128 * 1024 * 1024;
const SELECTION_BYTES: u64 = 32 * 1024 * 1024;
const IDLE: Duration = Duration::from_secs(1800);

/// What was decided about catalogues, and what is left of each.
pub(super) struct Shown {
    /// By grant and catalogue.
    selections: moka::sync::Cache<[u8; 16], Arc<Selection>>,
    /// By catalogue and selection.
    catalogues: moka::sync::Cache<[u8; 16], Arc<Catalogue>>,
}

impl Shown {
    pub(super) fn new() -> Self {
        let weight = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        Self {
            selections: moka::sync::Cache::builder()
                .max_capacity(SELECTION_BYTES)
                .weigher(move |_: &[u8; 16], selection: &Arc<Selection>| weight(selection.weight() + 64))
                .time_to_idle(IDLE)
                .build(),
            catalogues: moka::sync::Cache::builder()
                .max_capacity(CATALOGUE_BYTES)
                .weigher(move |_: &[u8; 16], catalogue: &Arc<Catalogue>| weight(catalogue.weight()))
                .time_to_idle(IDLE)
                .build(),
        }
    }
}

impl Admission {
    /// What this grant is shown of a catalogue. `name` gives the name in policies of something that is called so there, and may depend on
    /// `among_all` too.
    pub(crate) fn show<'w>(
        &self,
        grant: &Grant,
        whole: &'w Merged,
        among_all: Option<&Merged>,
        name: impl Fn(Action, usize, &'w str) -> Cow<'w, str>,
    ) -> Arc<Catalogue> {
        let of_grant = PartsHasher::new().part(&grant.digest).part(&whole.id).part(among_all.map_or(&[], |all| &all.id)).finish();
        let who = Who { principal: &grant.principal, claims: &grant.claims, groups: &grant.groups };
        let selection = self.shown.selections.get_with(of_grant, || {
            Arc::new(whole.catalogue.select(|kind, item| {
                let action = action(kind);
                let annotations = if kind == ListKind::Tools { item.annotations() } else { None };
                let name = name(action, item.backend, item.key);
                self.decide(who, (action, item.backend, &name), annotations.as_ref(), None, false)
            }))
        });
        if selection.is_all() {
            return Arc::clone(&whole.catalogue);
        }
        let of_selection = PartsHasher::new().part(&whole.id).part(&selection.digest()).finish();
        self.shown.catalogues.get_with(of_selection, || Arc::new(whole.catalogue.restricted(&selection)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use vmcp_auth::Identity;
    use vmcp_core::{
        Era,
        catalogue::{BackendList, Rules},
        config::Aggregation,
        plugin::{Authenticated, Authorizer, Decision, Principal, Question},
    };

    /// Everybody but guests may do everything; guests may see `b_one`. It counts what it is asked.
    struct House(AtomicUsize);

    impl Authorizer for House {
        fn decide(&self, question: &Question<'_>) -> Decision {
            self.0.fetch_add(1, Ordering::Relaxed);
            Decision::new(!question.principal.subject.starts_with("guest") || question.name == "b_one")
        }
    }

    #[test]
    fn grants_with_equal_decisions_share_one_catalogue_and_each_is_decided_once() {
        let house = Arc::new(House(AtomicUsize::new(0)));
        let admission = Admission::new(Arc::clone(&house) as Arc<dyn Authorizer>, "house", vec!["b".into()]);
        let mut list = BackendList::builder(Era::Modern);
        list.add_page(ListKind::Tools, &[r#"{"name":"one","inputSchema":{}}"#, r#"{"name":"two","inputSchema":{}}"#]).unwrap();
        let rules = Rules::compile(&Aggregation::default(), &["b"]).unwrap();
        let whole = Merged { id: [1; 16], catalogue: Arc::new(rules.merge(&[Some(Arc::new(list.build()))], Era::Modern)) };
        let shown = |subject: &str| {
            let principal = Principal { issuer: "house".into(), subject: subject.into() };
            let grant = admission.grant(&Identity::new(Authenticated::new(principal)));
            admission.show(&grant, &whole, None, |_, _, name| Cow::Borrowed(name))
        };
        let (one, other) = (shown("guest of ann"), shown("guest of bob"));
        assert!(one.tool("b_one").is_some() && one.tool("b_two").is_none());
        assert!(Arc::ptr_eq(&one, &other), "equal decisions, one catalogue");
        assert_eq!(house.0.load(Ordering::Relaxed), 4, "two grants, two tools");
        assert!(Arc::ptr_eq(&shown("guest of ann"), &one), "whatever session it is for");
        assert_eq!(house.0.load(Ordering::Relaxed), 4, "nothing is asked anew");
        assert!(Arc::ptr_eq(&shown("ann"), &whole.catalogue), "who may see everything is shown the catalogue itself");
    }
}
