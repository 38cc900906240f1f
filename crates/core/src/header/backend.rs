//! What one backend is sent.

use super::{
    CaptureError, CaptureReason, Forwarded, MAX_FORWARDED_BYTES, MAX_FORWARDED_LINES, Side, closed, entry::Entry,
    name::is_credential_header, normalise, table::Table,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::{fmt, sync::Arc};

/// The header policy of one backend: its static headers and the caller's headers that it lists.
pub struct BackendPolicy {
    pub(super) name: Arc<str>,
    pub(super) table: Arc<Table>,
    pub(super) statics: Box<[Static]>,
    pub(super) rules: Box<[Rule]>,
    pub(super) managed: Box<[HeaderName]>,
}

/// A static header; the value is missing when secrets are not at hand.
pub(super) struct Static {
    pub(super) name: HeaderName,
    pub(super) value: Option<HeaderValue>,
}

/// An entry, ready to be applied.
pub(super) struct Rule {
    /// The place of its inbound name in the table.
    pub(super) slot: usize,
    pub(super) entry: Entry,
    /// Whether two values would be ambiguous.
    pub(super) once: bool,
}

/// Who makes an outgoing header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeaderOrigin {
    /// An entry of the global `passthroughHeaders`.
    Global,
    /// An entry of the backend's own `passthroughHeaders`.
    Backend,
    /// The backend's `headers`.
    Static,
    /// The backend's outgoing strategy.
    Strategy,
}

/// One header that a backend may be sent, for people who want to see the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outgoing<'a> {
    /// The caller's header, as its entry spells it in lower case; `None` for headers that no caller sends.
    pub inbound: Option<&'a HeaderName>,
    /// The header towards the backend.
    pub outbound: &'a HeaderName,
    /// The text around the value, as written in the configuration.
    pub format: Option<&'a str>,
    /// Whether the backend is not called without it.
    pub required: bool,
    /// Whether the value is part of the session key.
    pub credential: bool,
    /// Who makes it.
    pub origin: HeaderOrigin,
}

impl Rule {
    /// A format has one place for a value, and `authorization` and `cookie` are single fields (RFC 9110 §11.6.2, RFC 6265 §5.4).
    pub(super) fn new(slot: usize, entry: Entry) -> Self {
        let once = entry.format.is_some() || is_credential_header(&normalise(&entry.outbound));
        Self { slot, entry, once }
    }

    /// Whether an empty value counts as none: a format has nothing to put around it.
    pub(super) fn skips_empty(&self) -> bool {
        self.entry.format.is_some()
    }

    pub(super) fn takes_token68(&self) -> bool {
        self.entry.format.as_ref().is_some_and(|format| format.has_text())
    }

    fn render(&self, value: &HeaderValue) -> Option<HeaderValue> {
        match &self.entry.format {
            Some(format) => format.render(value),
            None => Some(value.clone()),
        }
    }

    fn overhead(&self) -> usize {
        self.entry.format.as_ref().map_or(0, |format| format.overhead())
    }
}

impl BackendPolicy {
    /// The backend's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The values of one rule, as the caller sent them, less those that count as not sent.
    fn values<'a>(&self, rule: &Rule, forwarded: &'a Forwarded) -> impl Iterator<Item = &'a HeaderValue> + Clone + use<'a> {
        let skips_empty = rule.skips_empty();
        forwarded.values(&self.table, rule.slot, &rule.entry.key).filter(move |value| !(skips_empty && value.is_empty()))
    }

    /// The first required header that the request lacks or sent empty, as the configuration spells it. Then the backend is left out
    /// of lists and its calls fail.
    #[must_use]
    pub fn missing_required(&self, forwarded: &Forwarded) -> Option<&HeaderName> {
        let lacks = |rule: &&Rule| rule.entry.required && self.values(rule, forwarded).all(HeaderValue::is_empty);
        self.rules.iter().find(lacks).map(|rule| &rule.entry.inbound)
    }

    /// Adds the static headers and what this backend lists of the caller's, all marked sensitive.
    ///
    /// `out` must not have a header of any of these names yet; the closed lists see to it that the gateway itself writes none.
    pub fn apply(&self, forwarded: &Forwarded, out: &mut HeaderMap) {
        self.apply_static(out);
        if forwarded.is_empty() {
            return;
        }
        for rule in &self.rules {
            let values = self.values(rule, forwarded);
            // Capturing refused this; a request captured under another configuration is sent without the header.
            if rule.once && values.clone().nth(1).is_some() {
                continue;
            }
            for value in values.filter_map(|value| rule.render(value)) {
                out.append(&rule.entry.outbound, value);
            }
        }
    }

    /// Adds the static headers alone: for requests of the gateway's own.
    pub fn apply_static(&self, out: &mut HeaderMap) {
        for Static { name, value } in &self.statics {
            if let Some(value) = value {
                out.append(name, value.clone());
            }
        }
    }

    /// Whether headers that a strategy or a signer returned may be sent: each must be one that it declares (`managed`), none may be
    /// closed, and none may have another source in this policy.
    ///
    /// # Errors
    /// The first name that may not.
    pub fn admits_credentials(&self, headers: &HeaderMap, managed: &[HeaderName]) -> Result<(), HeaderName> {
        let refused =
            |name: &&HeaderName| !managed.contains(name) || closed(name, Side::Strategy).is_some() || self.writes(&normalise(name));
        headers.keys().find(refused).map_or(Ok(()), |name| Err(name.clone()))
    }

    /// Whether a static header or an entry makes an outgoing header of this normalised name.
    fn writes(&self, key: &HeaderName) -> bool {
        let statics = self.statics.iter().map(|own| &own.name);
        statics.chain(self.rules.iter().map(|rule| &rule.entry.outbound)).any(|name| normalise(name) == *key)
    }

    /// Whether what the backend is asked and answers depends on who calls: it has a credential entry or a required one.
    #[must_use]
    pub fn is_caller_dependent(&self) -> bool {
        self.rules.iter().any(|rule| rule.entry.credential || rule.entry.required)
    }

    /// The caller's values that tell one session of this backend from another: raw, by entry in configuration order, then as they
    /// arrived. A header that was not sent gives no item, an empty one gives one unless its entry has a format.
    pub fn credential_material<'a>(&'a self, forwarded: &'a Forwarded) -> impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)> {
        let credentials = self.rules.iter().filter(|rule| rule.entry.credential);
        credentials.flat_map(|rule| self.values(rule, forwarded).map(|value| (&rule.entry.key, value)))
    }

    /// Every header that this backend may be sent: static ones, the strategy's, then the caller's.
    pub fn outgoing(&self) -> impl Iterator<Item = Outgoing<'_>> {
        let own = |outbound, origin| Outgoing { inbound: None, outbound, format: None, required: false, credential: false, origin };
        let statics = self.statics.iter().map(move |header| own(&header.name, HeaderOrigin::Static));
        let managed = self.managed.iter().map(move |name| own(name, HeaderOrigin::Strategy));
        let entries = self.rules.iter().map(|Rule { entry, .. }| Outgoing {
            inbound: Some(&entry.inbound),
            outbound: &entry.outbound,
            format: entry.format.as_ref().map(|format| format.source()),
            required: entry.required,
            credential: entry.credential,
            origin: entry.origin,
        });
        statics.chain(managed).chain(entries)
    }

    pub(super) fn format_overhead(&self) -> usize {
        self.rules.iter().map(Rule::overhead).sum()
    }

    /// Whether what this backend would be forwarded stays within the limits.
    pub(super) fn check_size(&self, forwarded: &Forwarded) -> Result<(), CaptureError> {
        // For each rule that would be sent anything: lines and bytes.
        let shares: Vec<(&Rule, usize, usize)> = self.rules.iter().map(|rule| self.share(rule, forwarded)).collect();
        let (lines, bytes) = shares.iter().fold((0, 0), |(lines, bytes), share| (lines + share.1, bytes + share.2));
        let (reason, largest) = if bytes > MAX_FORWARDED_BYTES {
            (CaptureReason::TooManyBytes, shares.iter().max_by_key(|share| share.2))
        } else if lines > MAX_FORWARDED_LINES {
            (CaptureReason::TooManyLines, shares.iter().max_by_key(|share| share.1))
        } else {
            return Ok(());
        };
        let Some((rule, ..)) = largest else { return Ok(()) };
        Err(CaptureError {
            status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            header: rule.entry.key.clone(),
            backend: Some(Arc::clone(&self.name)),
            reason,
        })
    }

    fn share<'a>(&self, rule: &'a Rule, forwarded: &Forwarded) -> (&'a Rule, usize, usize) {
        let sent = self.values(rule, forwarded).map(|value| value.len() + rule.overhead());
        sent.fold((rule, 0, 0), |(rule, lines, bytes), sent| (rule, lines + 1, bytes + sent))
    }
}

impl fmt::Debug for BackendPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names only: static values may be secrets.
        f.debug_struct("BackendPolicy")
            .field("name", &self.name)
            .field("outgoing", &self.outgoing().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
