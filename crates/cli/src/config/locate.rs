//! Finds and reads the configuration file.

use super::{environment::Environment, syntax::Syntax};
use anyhow::{Context, bail};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The names that a configuration file has where none is given, the first one found winning.
const NAMES: [&str; 4] = ["vmcp.yaml", "vmcp.yml", "vmcp.toml", "vmcp.json"];

/// No configuration is longer, in bytes.
const LONGEST: u64 = 16 << 20;

/// The folders that are searched without --config: this one, then the user's configuration folder. Where there is neither of the
/// variables that name it on Unix, it is where Windows has it.
pub(crate) fn folders(environment: &Environment) -> Vec<PathBuf> {
    let given = |name: &str| environment.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let user = given("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
    let user = user.or_else(|| given("HOME").map(|home| home.join(".config"))).or_else(|| given("APPDATA"));
    std::iter::once(PathBuf::new()).chain(user.map(|folder| folder.join("vmcp"))).collect()
}

/// The first configuration file in these folders.
pub(crate) fn find(folders: &[PathBuf]) -> Option<PathBuf> {
    folders.iter().flat_map(|folder| NAMES.map(|name| folder.join(name))).find(|path| path.is_file())
}

/// Reads a file as text in the language of its extension.
pub(crate) fn read(path: &Path) -> anyhow::Result<(Syntax, String)> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let Some(syntax) = extension.and_then(Syntax::of_extension) else {
        bail!("its extension is none of .yaml, .yml, .toml, .json and .jsonc");
    };
    let length = fs::metadata(path).map_err(|error| anyhow::anyhow!("{}", reason(&error)))?.len();
    if length > LONGEST {
        bail!("longer than {} MiB", LONGEST >> 20);
    }
    let bytes = fs::read(path).map_err(|error| anyhow::anyhow!("{}", reason(&error)))?;
    Ok((syntax, String::from_utf8(bytes).ok().context("not UTF-8 text")?))
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        kind => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_folder_comes_before_the_users() {
        let environment = Environment::from_iter([("HOME", "/home/x"), ("XDG_CONFIG_HOME", "/cfg")]);
        assert_eq!(folders(&environment), [Path::new(""), Path::new("/cfg/vmcp")]);
        assert_eq!(folders(&Environment::from_iter([("HOME", "/home/x")])), [Path::new(""), Path::new("/home/x/.config/vmcp")]);
        assert_eq!(folders(&Environment::default()), [Path::new("")]);
        let windows = [("APPDATA", "appdata"), ("XDG_CONFIG_HOME", ""), ("HOME", "")];
        assert_eq!(folders(&Environment::from_iter(windows)), [Path::new(""), Path::new("appdata/vmcp")]);
        assert_eq!(folders(&Environment::from_iter([("APPDATA", "x"), ("HOME", "/h")])), [Path::new(""), Path::new("/h/.config/vmcp")]);
    }

    #[test]
    fn the_first_file_wins() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folders = [first.path().to_owned(), second.path().to_owned()];
        assert_eq!(find(&folders), None);
        fs::write(second.path().join("vmcp.yaml"), "").unwrap();
        assert_eq!(find(&folders), Some(second.path().join("vmcp.yaml")));
        fs::write(first.path().join("vmcp.json"), "").unwrap();
        assert_eq!(find(&folders), Some(first.path().join("vmcp.json")));
        fs::write(first.path().join("vmcp.yaml"), "").unwrap();
        assert_eq!(find(&folders), Some(first.path().join("vmcp.yaml")));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let say = |name: &str| read(&folder.path().join(name)).unwrap_err().to_string();
        assert_eq!(say("nothing.yaml"), "no such file");
        assert_eq!(say("vmcp.ini"), "its extension is none of .yaml, .yml, .toml, .json and .jsonc");
        fs::write(folder.path().join("bytes.yaml"), [0xff, 0xfe]).unwrap();
        assert_eq!(say("bytes.yaml"), "not UTF-8 text");
        fs::create_dir(folder.path().join("folder.yaml")).unwrap();
        assert_eq!(say("folder.yaml"), "is a directory");
    }
}
