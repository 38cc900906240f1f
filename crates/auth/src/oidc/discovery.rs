//! Where an issuer says what it has (OpenID Connect Discovery 1.0 §4, RFC 8414 §3).

use super::{
    ask::{Asker, Document},
    kept::Unavailable,
};
use crate::well_known::{First, are_own, places};
use http::StatusCode;
use serde::Deserialize;
use url::Url;

/// What is read of an issuer's metadata.
#[derive(Deserialize)]
pub(super) struct Metadata {
    issuer: String,
    pub(super) jwks_uri: Option<Url>,
    pub(super) introspection_endpoint: Option<Url>,
}

/// Finds the metadata.
pub(super) async fn discover(asker: &Asker, issuer: &Url) -> Result<Metadata, Unavailable> {
    let what = Document::Metadata;
    for place in places(issuer, First::OpenId) {
        let answer = asker.get(what, &place).await?;
        if answer.status == StatusCode::NOT_FOUND {
            continue;
        }
        if answer.status != StatusCode::OK {
            return Err(asker.failed(what, &format!("{place} answered with status {}", answer.status.as_u16())));
        }
        let Ok(metadata) = serde_json::from_slice::<Metadata>(&answer.body) else {
            return Err(asker.failed(what, &format!("{place} answered with something else than metadata")));
        };
        if !are_own(Some(&metadata.issuer), &asker.issuer) {
            return Err(
                asker.failed(what, &format!("{place} is the metadata of another issuer; write `issuer` exactly as it stands there"))
            );
        }
        return Ok(metadata);
    }
    Err(asker.failed(what, "it stands at none of the known places; `jwksUrl` would tell where the keys are"))
}
