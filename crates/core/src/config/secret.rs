//! Values that may be secrets, and where to read them.

use super::key_path;
use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// A value that may be a secret: text, or where to read it. `${ENV}` in the text is replaced when the file is read.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
#[schemars(title = "A value or where to read it")]
pub enum SecretSource {
    /// The value itself.
    Text(#[schemars(with = "String")] SecretString),
    /// From an environment variable.
    #[serde(rename_all = "camelCase")]
    Env {
        /// The environment variable's name.
        from_env: String,
    },
    /// From a file, without the line end at its end.
    #[serde(rename_all = "camelCase")]
    File {
        /// The file's path; a relative one starts at the configuration file's folder.
        #[schemars(extend("format" = "path"))]
        from_file: PathBuf,
    },
}

impl SecretSource {
    /// Gets the value, with `env` to look up an environment variable and `read` to read a file as text.
    ///
    /// # Errors
    /// When the variable is not set, the file cannot be read, or either is empty. The error names the source, never the value.
    pub fn resolve(
        &self,
        env: &dyn Fn(&str) -> Option<String>,
        read: &dyn Fn(&Path) -> io::Result<String>,
    ) -> Result<SecretString, SecretError> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Env { from_env } => match env(from_env) {
                Some(value) if value.is_empty() => Err(SecretError::EmptyEnv { name: from_env.clone() }),
                Some(value) => Ok(value.into()),
                None => Err(SecretError::MissingEnv { name: from_env.clone() }),
            },
            Self::File { from_file } => {
                let text = read(from_file).map_err(|error| SecretError::File { path: from_file.clone(), reason: reason(&error) })?;
                let line = text.strip_suffix('\n').map_or(text.as_str(), |rest| rest.strip_suffix('\r').unwrap_or(rest));
                if line.is_empty() {
                    return Err(SecretError::EmptyFile { path: from_file.clone() });
                }
                Ok(line.into())
            }
        }
    }

    /// Where it stands that the value is missing, for the source that is written as `key`: `clientSecret.fromEnv`.
    #[must_use]
    pub fn place(&self, key: &str) -> String {
        match self {
            Self::Text(_) => key.to_owned(),
            Self::Env { .. } => key_path(key, "fromEnv"),
            Self::File { .. } => key_path(key, "fromFile"),
        }
    }
}

/// The system's words without its number; the kind alone where the error carries text that came from the file.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        kind => kind.to_string(),
    }
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(…)"),
            Self::Env { from_env } => f.debug_struct("Env").field("from_env", from_env).finish(),
            Self::File { from_file } => f.debug_struct("File").field("from_file", from_file).finish(),
        }
    }
}

/// Why a secret is not at hand. The text names the source, never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The environment lacks the variable.
    #[error("the environment variable `{name}` is not set")]
    MissingEnv {
        /// The variable.
        name: String,
    },
    /// The variable is there, without text.
    #[error("the environment variable `{name}` is empty")]
    EmptyEnv {
        /// The variable.
        name: String,
    },
    /// The file cannot be read as text.
    #[error("cannot read {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The file is there, without text.
    #[error("{} is empty", path.display())]
    EmptyFile {
        /// The file.
        path: PathBuf,
    },
    /// A session key of the wrong form.
    #[error("not 32 bytes in base64; `openssl rand -base64 32` makes a key")]
    SessionKey,
}

impl SecretError {
    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::MissingEnv { .. } | Self::EmptyEnv { .. } => "set it where vmcp runs",
            Self::File { .. } => "put the file there, or correct the path",
            Self::EmptyFile { .. } => "write the value into it",
            Self::SessionKey => "write another one",
        }
    }
}

/// Decodes an entry of `sessions.keys`: 32 bytes in base64, of either alphabet, padded or not.
///
/// # Errors
/// When it is anything else.
pub fn session_key(text: &SecretString) -> Result<[u8; 32], SecretError> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let text = text.expose_secret().trim();
    [STANDARD, URL_SAFE]
        .iter()
        .find_map(|alphabet| GeneralPurpose::new(alphabet, lenient).decode(text).ok())
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(SecretError::SessionKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_env(_: &str) -> Option<String> {
        None
    }

    fn no_file(_: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    #[test]
    fn text_is_its_own_value() {
        let source = SecretSource::Text("hunter2".into());
        assert_eq!(source.resolve(&no_env, &no_file).unwrap().expose_secret(), "hunter2");
        assert!(!format!("{source:?}").contains("hunter2"));
    }

    #[test]
    fn a_variable_is_looked_up_when_asked_for() {
        let source = SecretSource::Env { from_env: "TOKEN".to_owned() };
        let env = |name: &str| (name == "TOKEN").then(|| "hunter2".to_owned());
        assert_eq!(source.resolve(&env, &no_file).unwrap().expose_secret(), "hunter2");
        assert_eq!(source.resolve(&no_env, &no_file).unwrap_err().to_string(), "the environment variable `TOKEN` is not set");
        let empty = |_: &str| Some(String::new());
        assert_eq!(source.resolve(&empty, &no_file).unwrap_err().to_string(), "the environment variable `TOKEN` is empty");
    }

    #[test]
    fn a_file_loses_one_line_end() {
        let source = SecretSource::File { from_file: "/run/token".into() };
        for (text, value) in [("a b\n", "a b"), ("a b\r\n", "a b"), ("a b", "a b"), ("a\n\n", "a\n")] {
            let read = |path: &Path| {
                assert_eq!(path, Path::new("/run/token"));
                Ok(text.to_owned())
            };
            assert_eq!(source.resolve(&no_env, &read).unwrap().expose_secret(), value, "{text:?}");
        }
        assert_eq!(source.resolve(&no_env, &no_file).unwrap_err().to_string(), "cannot read /run/token: no such file");
        let empty = |_: &Path| Ok("\n".to_owned());
        assert_eq!(source.resolve(&no_env, &empty).unwrap_err().to_string(), "/run/token is empty");
    }

    #[test]
    fn a_source_has_one_origin_and_no_unknown_key() {
        let read = |json: &str| serde_json::from_str::<SecretSource>(json);
        assert!(matches!(read(r#""x""#), Ok(SecretSource::Text(_))));
        assert!(matches!(read(r#"{"fromEnv": "X"}"#), Ok(SecretSource::Env { .. })));
        assert!(matches!(read(r#"{"fromFile": "x"}"#), Ok(SecretSource::File { .. })));
        assert!(read(r#"{"fromEnv": "X", "fromFile": "x"}"#).is_err());
        assert!(read(r#"{"fromEnv": "X", "other": 1}"#).is_err());
    }

    #[test]
    fn a_session_key_is_32_bytes_in_either_alphabet() {
        let bytes = [0xfb; 32];
        for text in [
            "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s=",
            "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s",
            "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s",
        ] {
            assert_eq!(session_key(&text.into()), Ok(bytes), "{text}");
        }
        for text in ["", "abc", "not base64!", "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s="] {
            assert_eq!(session_key(&text.into()), Err(SecretError::SessionKey), "{text}");
        }
    }
}
