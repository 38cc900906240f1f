//! The listed headers of one request.

use super::table::Table;
use http::{HeaderName, HeaderValue};
use smallvec::SmallVec;
use std::{fmt, sync::Arc};

/// The headers of one request that some backend lists: names normalised, values byte for byte and in order, marked sensitive.
///
/// It lives as long as the request or open stream that brought it, and is never stored. Cloning shares it; an empty one (the
/// default, and what a request without listed headers gives) costs no allocation. `Debug` shows names only.
#[derive(Clone, Default)]
pub struct Forwarded(Option<Arc<Captures>>);

struct Captures {
    /// The names of the policy that captured these values.
    table: Arc<Table>,
    values: Values,
}

pub(super) type Values = SmallVec<[Captured; 4]>;

pub(super) struct Captured {
    pub(super) slot: usize,
    pub(super) value: HeaderValue,
}

impl Forwarded {
    pub(super) fn new(table: &Arc<Table>, values: Values) -> Self {
        Self((!values.is_empty()).then(|| Arc::new(Captures { table: Arc::clone(table), values })))
    }

    /// Whether the request had no listed header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The names, normalised, one for each value, in the order in which the headers arrived.
    pub fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.0.iter().flat_map(|captures| captures.values.iter().map(|own| &captures.table.names()[own.slot]))
    }

    /// The values of one header, in order. `slot` is its place in `table`; where another policy (of a configuration before or after a
    /// reload) captured, the name decides.
    pub(super) fn values<'a>(
        &'a self,
        table: &Arc<Table>,
        slot: usize,
        key: &HeaderName,
    ) -> impl Iterator<Item = &'a HeaderValue> + Clone + use<'a> {
        let own = self.0.as_deref();
        let slot =
            own.and_then(
                |captures| {
                    if Arc::ptr_eq(&captures.table, table) { Some(slot) } else { captures.table.find(key.as_str().as_bytes()) }
                },
            );
        let values: &[Captured] = own.map_or(&[], |captures| &captures.values);
        values.iter().filter(move |captured| Some(captured.slot) == slot).map(|captured| &captured.value)
    }
}

impl fmt::Debug for Forwarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Forwarded").field(&self.names().collect::<Vec<_>>()).finish()
    }
}
