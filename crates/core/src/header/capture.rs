//! Reading the listed headers of one request.

use super::{
    Forwarded, HeaderPolicy,
    format::is_token68,
    forwarded::{Captured, Values},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use std::{fmt, sync::Arc};

/// How many bytes of values one backend is forwarded for one request, text of formats included.
pub const MAX_FORWARDED_BYTES: usize = 32 * 1024;

/// How many header lines one backend is forwarded for one request.
pub const MAX_FORWARDED_LINES: usize = 64;

/// Why a request's headers cannot be forwarded. The text is one line for the caller and never holds a value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CaptureError {
    /// 400, or 431 for too much (RFC 6585 §5).
    pub status: StatusCode,
    /// The header, normalised; for too much, the one with the largest share.
    pub header: HeaderName,
    /// The backend on whose behalf it is refused; `None` when every backend would.
    pub backend: Option<Arc<str>>,
    /// What is wrong.
    pub reason: CaptureReason,
}

/// What is wrong with a request's listed headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CaptureReason {
    /// A `Connection` option names the header: a proxy on the way may or may not have dropped it (RFC 9110 §7.6.1).
    ConnectionOption,
    /// One name in two spellings (`x-tenant` and `x_tenant`): whoever wrote one may not know of the other.
    TwoSpellings,
    /// More than one value where the backend takes one.
    Repeated,
    /// A value that must be token68 (RFC 9110 §11.2), because a format puts text around it.
    NotToken68,
    /// More than [`MAX_FORWARDED_BYTES`].
    TooManyBytes,
    /// More than [`MAX_FORWARDED_LINES`].
    TooManyLines,
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = &self.header;
        let backend = fmt::from_fn(|f| match &self.backend {
            Some(name) => write!(f, "backend `{name}`"),
            None => f.write_str("every backend"),
        });
        match self.reason {
            CaptureReason::ConnectionOption => {
                write!(f, "header `{header}` is named by `Connection`, so it cannot be forwarded; do not name it there")
            }
            CaptureReason::TwoSpellings => {
                write!(f, "header `{header}` was sent in two spellings (`-`, `_` and `.` count as one); send one of them")
            }
            CaptureReason::Repeated => {
                write!(f, "header `{header}` was sent more than once, but {backend} takes one value; send it once")
            }
            CaptureReason::NotToken68 => write!(
                f,
                "header `{header}`: {backend} puts its value into a format, so it must be a bare token (letters, digits and -._~+/ with = at the end only); send the token alone"
            ),
            CaptureReason::TooManyBytes => {
                write!(f, "headers for {backend} are longer than {MAX_FORWARDED_BYTES} bytes in all, `{header}` the most; send less")
            }
            CaptureReason::TooManyLines => {
                write!(f, "headers for {backend} are more than {MAX_FORWARDED_LINES} lines in all, `{header}` the most; send fewer")
            }
        }
    }
}

impl std::error::Error for CaptureError {}

impl HeaderPolicy {
    /// Reads the listed headers of one request. What it accepts, every backend can be sent.
    ///
    /// # Errors
    /// 400 for a value that some backend cannot be sent, 431 for too much; the request fails as a whole, so that nobody is sent half.
    pub fn capture(&self, headers: &HeaderMap) -> Result<Forwarded, CaptureError> {
        if self.table.is_empty() {
            return Ok(Forwarded::default());
        }
        let mut values = Values::new();
        let mut bytes = 0;
        for name in headers.keys() {
            if let Some(slot) = self.table.find(name.as_str().as_bytes()) {
                if values.iter().any(|known| known.slot == slot) {
                    return Err(self.refusal(slot, None, CaptureReason::TwoSpellings));
                }
                let before = values.len();
                for value in headers.get_all(name) {
                    bytes += value.len();
                    let mut value = value.clone();
                    value.set_sensitive(true);
                    values.push(Captured { slot, value });
                }
                self.check_values(slot, &values[before..])?;
            } else if *name == header::CONNECTION {
                headers.get_all(header::CONNECTION).iter().try_for_each(|value| self.check_connection(value))?;
            }
        }
        // Each header reaches a backend once, so no backend is sent more than this.
        let small = values.len() <= MAX_FORWARDED_LINES && bytes + self.overhead <= MAX_FORWARDED_BYTES;
        let forwarded = Forwarded::new(&self.table, values);
        if !small {
            self.backends.iter().try_for_each(|backend| backend.check_size(&forwarded))?;
        }
        Ok(forwarded)
    }

    fn check_values(&self, slot: usize, values: &[Captured]) -> Result<(), CaptureError> {
        let demand = &self.demands[slot];
        if let (Some(backend), [_, _, ..]) = (&demand.once, values) {
            return Err(self.refusal(slot, Some(backend), CaptureReason::Repeated));
        }
        // Without a value there is nothing to put into a format: that backend is not sent the header, the others are.
        let mut filled = values.iter().filter(|own| !own.value.is_empty());
        if let Some(backend) = &demand.once_filled
            && filled.clone().nth(1).is_some()
        {
            return Err(self.refusal(slot, Some(backend), CaptureReason::Repeated));
        }
        if let Some(backend) = &demand.token68
            && !filled.all(|own| is_token68(own.value.as_bytes()))
        {
            return Err(self.refusal(slot, Some(backend), CaptureReason::NotToken68));
        }
        Ok(())
    }

    fn check_connection(&self, options: &HeaderValue) -> Result<(), CaptureError> {
        options.as_bytes().split(|byte| *byte == b',').try_for_each(|option| match self.table.find(option.trim_ascii()) {
            Some(slot) => Err(self.refusal(slot, None, CaptureReason::ConnectionOption)),
            None => Ok(()),
        })
    }

    fn refusal(&self, slot: usize, backend: Option<&Arc<str>>, reason: CaptureReason) -> CaptureError {
        CaptureError { status: StatusCode::BAD_REQUEST, header: self.table.names()[slot].clone(), backend: backend.cloned(), reason }
    }
}
