//! Whom something is allowed to.

use super::digest::rights;
use serde_json::{Map, Value};
use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};
use vmcp_auth::Identity;
use vmcp_core::plugin::Principal;

/// Whom something is allowed to: what decisions may read of an identity, and no token. Two with equal content are equal.
pub(crate) struct Grant {
    pub(super) digest: [u8; 16],
    rights: [u8; 16],
    pub(super) principal: Principal,
    pub(super) claims: Map<String, Value>,
    pub(super) groups: Vec<Arc<str>>,
}

impl Grant {
    pub(super) fn new(digest: [u8; 16], identity: &Identity) -> Self {
        let (principal, claims) = (identity.principal().clone(), identity.claims().clone());
        Self { digest, rights: rights(identity), principal, claims, groups: identity.groups().to_vec() }
    }

    /// What it allows: equal for a credential that was renewed without a change of that.
    pub(crate) fn rights(&self) -> [u8; 16] {
        self.rights
    }
}

impl PartialEq for Grant {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Grant {}

impl Hash for Grant {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}
