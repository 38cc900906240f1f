//! What one backend is sent.

use super::{
    CaptureError, CaptureReason, Forwarded, HeaderOrigin, MAX_FORWARDED_BYTES, MAX_FORWARDED_LINES, Outgoing, OutgoingName, Side, closed,
    entry::Entry, name::is_credential_header, normalise, outgoing::Outbound, table::Table,
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
    pub(super) to: Outbound,
    /// Whether two values would be ambiguous.
    pub(super) once: bool,
}

impl Rule {
    /// A format has one place for a value, and so has a variable; `authorization` and `cookie` are single fields (RFC 9110 §11.6.2,
    /// RFC 6265 §5.4).
    pub(super) fn new(slot: usize, entry: Entry, to: Outbound) -> Self {
        let is_single = match &to {
            Outbound::Header(name) => is_credential_header(&normalise(name)),
            Outbound::Variable(_) => true,
        };
        Self { slot, once: is_single || entry.format.is_some(), entry, to }
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
            let Outbound::Header(outbound) = &rule.to else { continue };
            let values = self.values(rule, forwarded);
            // Capturing refused this; a request captured under another configuration is sent without the header.
            if rule.once && values.clone().nth(1).is_some() {
                continue;
            }
            for value in values.filter_map(|value| rule.render(value)) {
                out.append(outbound, value);
            }
        }
    }

    /// What the caller's process is given of the caller's: variables, each with its value. Values that two requests may differ in are
    /// part of the session key, so a process that was started with one never serves a caller with another.
    ///
    /// A header's value has no NUL in it (RFC 9110 §5.5, and [`HeaderValue`] sees to it), so every one can be a variable's.
    pub fn environment<'a>(&'a self, forwarded: &'a Forwarded) -> impl Iterator<Item = (&'a str, HeaderValue)> {
        self.rules.iter().filter_map(|rule| {
            let Outbound::Variable(name) = &rule.to else { return None };
            let mut values = self.values(rule, forwarded);
            let value = values.next()?;
            // Capturing refused a second one; a request captured under another configuration goes without the variable.
            values.next().is_none().then(|| rule.render(value)).flatten().map(|value| (&**name, value))
        })
    }

    /// Whether the caller's process is given anything of the caller's, so that callers cannot share one.
    #[must_use]
    pub fn has_environment(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.to, Outbound::Variable(_)))
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
        statics.chain(self.rules.iter().filter_map(|rule| rule.to.as_ref().header())).any(|name| normalise(name) == *key)
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
        let own = |name, origin| Outgoing {
            inbound: None,
            outbound: OutgoingName::Header(name),
            format: None,
            required: false,
            credential: false,
            origin,
        };
        let statics = self.statics.iter().map(move |header| own(&header.name, HeaderOrigin::Static));
        let managed = self.managed.iter().map(move |name| own(name, HeaderOrigin::Strategy));
        let entries = self.rules.iter().map(|Rule { entry, to, .. }| Outgoing {
            inbound: Some(&entry.inbound),
            outbound: to.as_ref(),
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
