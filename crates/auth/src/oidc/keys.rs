//! The keys of one issuer: asked for when needed, kept while the issuer is away.

use super::{
    algorithm::Algorithm,
    ask::{Asker, Document},
    bucket::Bucket,
    discovery::{Metadata, discover},
    jwk::{self, Key},
    jwt::Jwt,
    kept::{Kept, Unavailable},
};
use http::StatusCode;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;
use url::Url;

/// Keys are asked for anew after so long, so that it is noticed when the issuer takes one back.
pub(super) const FRESH: Duration = Duration::from_secs(15 * 60);

/// How long a caller waits for new keys where the old ones would do.
const PATIENCE: Duration = Duration::from_secs(1);

/// After a failure to renew keys that would do, nobody tries again for so long.
const LONG_PAUSE: Duration = Duration::from_secs(30);

/// An issuer's metadata and keys.
pub(super) struct Keys {
    pub(super) asker: Asker,
    /// The issuer's name as a URL.
    pub(super) url: Url,
    jwks_url: Option<Url>,
    metadata: Kept<Metadata>,
    keys: Kept<Vec<Arc<Key>>>,
    unknown: Bucket,
}

/// What became of looking for a token's key.
pub(super) enum Found {
    /// It is signed with this one.
    Signed(Arc<Key>),
    /// No key of the issuer's signed it.
    Forged,
}

impl Keys {
    pub(super) fn new(asker: Asker, url: Url, jwks_url: Option<Url>) -> Self {
        Self { asker, url, jwks_url, metadata: Kept::default(), keys: Kept::default(), unknown: Bucket::default() }
    }

    /// The key that signed a token.
    ///
    /// # Errors
    /// When no key is at hand that could tell, and the issuer cannot be asked: then the token may be good.
    pub(super) async fn signer(&self, token: &Jwt<'_>) -> Result<Found, Unavailable> {
        let keys = self.current().await?;
        if let Some(key) = tried(&keys, token) {
            return Ok(Found::Signed(key));
        }
        // Keys that could have signed it are at hand and have not: asking again would tell nothing new.
        if token.key.is_some() && candidates(&keys, token).next().is_some() {
            return Ok(Found::Forged);
        }
        // A new key, or one that somebody made up. Anybody can make up any number, and the issuer shall not suffer for it.
        if !self.unknown.take() {
            return Ok(Found::Forged);
        }
        let keys = self.renew().await?;
        Ok(tried(&keys, token).map_or(Found::Forged, Found::Signed))
    }

    /// The keys as they are known, or asked for when none are, or they are old.
    async fn current(&self) -> Result<Arc<Vec<Arc<Key>>>, Unavailable> {
        match self.keys.last() {
            None => self.renew().await,
            Some((keys, age)) if age < FRESH || self.keys.failed_within(LONG_PAUSE) => Ok(keys),
            Some((keys, _)) => match timeout(PATIENCE, self.renew()).await {
                Ok(renewed) => Ok(renewed.unwrap_or(keys)),
                Err(_) => {
                    self.keys.gave_up();
                    Ok(keys)
                }
            },
        }
    }

    async fn renew(&self) -> Result<Arc<Vec<Arc<Key>>>, Unavailable> {
        self.keys.renew(|| self.ask()).await
    }

    async fn ask(&self) -> Result<Vec<Arc<Key>>, Unavailable> {
        let what = Document::Keys;
        let url = match &self.jwks_url {
            Some(url) => url.clone(),
            None => match &self.metadata().await?.jwks_uri {
                Some(url) => url.clone(),
                None => return Err(self.asker.failed(what, "the metadata has no `jwks_uri`")),
            },
        };
        let answer = self.asker.get(what, &url).await?;
        if answer.status != StatusCode::OK {
            return Err(self.asker.failed(what, &format!("{} answered with status {}", Asker::shown(&url), answer.status.as_u16())));
        }
        let Some(keys) = jwk::read(&answer.body) else {
            return Err(self.asker.failed(what, &format!("{} answered with something else than keys", Asker::shown(&url))));
        };
        let old = self.keys.last().map(|(keys, _)| keys);
        Ok(jwk::renewed(old.as_deref().map_or(&[][..], Vec::as_slice), keys))
    }

    /// The metadata, as old as the keys at most.
    pub(super) async fn metadata(&self) -> Result<Arc<Metadata>, Unavailable> {
        match self.metadata.last() {
            Some((metadata, age)) if age < FRESH => Ok(metadata),
            Some((metadata, _)) => Ok(self.metadata.renew(|| discover(&self.asker, &self.url)).await.unwrap_or(metadata)),
            None => self.metadata.renew(|| discover(&self.asker, &self.url)).await,
        }
    }
}

fn candidates<'a>(keys: &'a [Arc<Key>], token: &'a Jwt<'_>) -> impl Iterator<Item = &'a Arc<Key>> {
    let algorithm: Algorithm = token.algorithm;
    keys.iter().filter(move |key| key.may_have_signed(token.key.as_deref(), algorithm))
}

fn tried(keys: &[Arc<Key>], token: &Jwt<'_>) -> Option<Arc<Key>> {
    candidates(keys, token).find(|key| key.signed(token.algorithm, token.signed, &token.signature)).cloned()
}

#[cfg(test)]
mod tests;
