//! Headers given with `-H`, as curl takes them. A value never stands in an error.

use anyhow::{Context, bail};
use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::fs;

/// Headers of a request.
#[derive(Args, Clone, Default)]
pub(crate) struct GivenHeaders {
    /// A header of the request, 'name: value'; may be repeated. @FILE reads headers from a file, one a line
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<String>,
}

impl std::fmt::Debug for GivenHeaders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} headers", self.headers.len())
    }
}

impl GivenHeaders {
    /// The headers, in the order in which they were given.
    ///
    /// # Errors
    /// For a text that is no header, naming the header as far as it has a name.
    pub(crate) fn read(&self) -> anyhow::Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        for given in &self.headers {
            match given.strip_prefix('@') {
                None => add(given, &mut headers)?,
                Some(path) => {
                    let text = fs::read_to_string(path).with_context(|| format!("-H @{path}: cannot read the file"))?;
                    text.lines().filter(|line| !line.trim().is_empty()).try_for_each(|line| add(line, &mut headers))?;
                }
            }
        }
        Ok(headers)
    }
}

fn add(given: &str, headers: &mut HeaderMap) -> anyhow::Result<()> {
    let Some((name, value)) = given.split_once(':') else {
        bail!("-H: a header without a colon; write -H 'name: value'");
    };
    let Ok(name) = HeaderName::from_bytes(name.trim().as_bytes()) else {
        bail!("-H: not a header name before the colon; write -H 'name: value', the name in letters, digits and hyphens");
    };
    let Ok(mut value) = HeaderValue::from_bytes(value.trim_matches([' ', '\t']).as_bytes()) else {
        bail!("-H: the value of `{name}` has a line break or another control character, which no header can carry");
    };
    value.set_sensitive(true);
    headers.append(name, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn read(given: &[&str]) -> Result<HeaderMap, String> {
        GivenHeaders { headers: given.iter().map(|text| (*text).to_owned()).collect() }.read().map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_header_is_a_name_a_colon_and_a_value() {
        let headers = read(&["X-A: 1", "x-a:2", "x-b:", "x-c:  a: b ", "x-d: grün"]).unwrap();
        assert_eq!(headers.get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(headers["x-b"], "");
        assert_eq!(headers["x-c"], "a: b");
        assert_eq!(headers["x-d"].as_bytes(), "grün".as_bytes());
    }

    #[test]
    fn headers_come_from_a_file_too() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"x-a: 1\r\n\nx-b: 2\n").unwrap();
        let headers = read(&[&format!("@{}", file.path().display())]).unwrap();
        assert_eq!((&headers["x-a"], &headers["x-b"]), (&HeaderValue::from_static("1"), &HeaderValue::from_static("2")));
        assert!(read(&["@/none"]).unwrap_err().starts_with("-H @/none: cannot read the file: "));
    }

    #[test]
    fn no_value_stands_in_an_error() {
        for given in ["x-key hunter2", "x key: hunter2", ": hunter2", "x-key: hunter2\x01"] {
            let error = read(&[given]).unwrap_err();
            assert!(!error.contains("hunter2") && !error.contains('\n'), "{error}");
        }
        assert!(!format!("{:?}", GivenHeaders { headers: vec!["x-key: hunter2".to_owned()] }).contains("hunter2"));
    }
}
