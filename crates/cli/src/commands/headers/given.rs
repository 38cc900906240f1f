//! Headers given with `-H`, as curl takes them. A value never stands in an error.

use anyhow::{Context, bail};
use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::{ffi::OsString, fs};

/// Headers of a request.
#[derive(Args, Clone, Default)]
pub(crate) struct GivenHeaders {
    /// A header of the request, 'name: value'; may be repeated. @FILE reads headers from a file, one a line
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<OsString>,
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
            // What is not UTF-8 may be a value all the same (RFC 9110, section 5.5: obs-text).
            let given = given.as_encoded_bytes();
            let Some(path) = given.strip_prefix(b"@") else {
                add(given, &mut headers)?;
                continue;
            };
            let path = str::from_utf8(path).context("-H @FILE: the file's name is not UTF-8; use another one")?;
            let text = fs::read(path).with_context(|| format!("-H @{path}: cannot read the file"))?;
            let lines = text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
            for line in lines.filter(|line| !line.trim_ascii().is_empty()) {
                add(line, &mut headers)?;
            }
        }
        Ok(headers)
    }

    /// Whether one of them ends with its colon: then its value may be the next argument, by mistake.
    pub(crate) fn lacks_value(&self) -> bool {
        self.headers.iter().any(|given| given.as_encoded_bytes().ends_with(b":"))
    }
}

fn add(given: &[u8], headers: &mut HeaderMap) -> anyhow::Result<()> {
    let Some(colon) = given.iter().position(|byte| *byte == b':') else {
        bail!("-H: a header without a colon; write -H 'name: value'");
    };
    let Ok(name) = HeaderName::from_bytes(given[..colon].trim_ascii()) else {
        bail!("-H: not a header name before the colon; write -H 'name: value', the name in letters, digits and hyphens");
    };
    let Ok(mut value) = HeaderValue::from_bytes(trimmed(&given[colon + 1..])) else {
        bail!("-H: the value of `{name}` has a line break or another control character, which no header can carry");
    };
    value.set_sensitive(true);
    headers.append(name, value);
    Ok(())
}

/// Without the spaces and tabs around it (RFC 9110, section 5.5).
fn trimmed(value: &[u8]) -> &[u8] {
    let is_value = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let start = value.iter().position(is_value).unwrap_or(value.len());
    let end = value.iter().rposition(is_value).map_or(start, |last| last + 1);
    &value[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn read(given: &[&str]) -> Result<HeaderMap, String> {
        GivenHeaders { headers: given.iter().map(OsString::from).collect() }.read().map_err(|error| format!("{error:#}"))
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

    #[cfg(unix)]
    #[test]
    fn a_value_need_not_be_utf8() {
        use std::os::unix::ffi::OsStringExt;
        let headers = GivenHeaders { headers: vec![OsString::from_vec(b"x-a: gr\xfcn".to_vec())] }.read().unwrap();
        assert_eq!(headers["x-a"].as_bytes(), b"gr\xfcn");
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"x-b: \xff\n").unwrap();
        assert_eq!(read(&[&format!("@{}", file.path().display())]).unwrap()["x-b"].as_bytes(), b"\xff");
    }

    #[test]
    fn no_value_stands_in_an_error() {
        for given in ["x-key hunter2", "x key: hunter2", ": hunter2", "x-key: hunter2\x01", "x-key: hunter2\r\n"] {
            let error = read(&[given]).unwrap_err();
            assert!(!error.contains("hunter2") && !error.contains('\n'), "{error}");
        }
        assert!(!format!("{:?}", GivenHeaders { headers: vec!["x-key: hunter2".into()] }).contains("hunter2"));
    }
}
