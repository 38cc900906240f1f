//! Where a program is, as the system would look for it.

use super::Environment;
use std::{
    env,
    path::{Path, PathBuf, is_separator},
};

/// The endings that a program may have on Windows when nothing says so.
const WINDOWS_ENDINGS: &str = ".COM;.EXE;.BAT;.CMD";

/// The program behind a command: a path stays one, a name is looked up on the `PATH` that the process is given.
///
/// The lookup is done here, because only so it can be said what was not found, and because it is the process's `PATH` that counts.
pub(super) fn find(command: &str, environment: &Environment) -> Result<PathBuf, String> {
    let endings: Vec<String> = if cfg!(windows) {
        let given = environment.get("PATHEXT").map(|given| given.to_string_lossy().into_owned());
        let given = given.unwrap_or_else(|| WINDOWS_ENDINGS.to_owned());
        std::iter::once(String::new()).chain(given.split(';').map(str::to_owned)).collect()
    } else {
        vec![String::new()]
    };
    let among = |folder: &Path| endings.iter().map(|ending| folder.join(format!("{command}{ending}"))).find(|path| is_program(path));
    if command.contains(is_separator) {
        return among(Path::new("")).ok_or_else(|| match Path::new(command).exists() {
            true => format!("`{command}` is no program that vmcp may run"),
            false => format!("there is no `{command}`"),
        });
    }
    let path = environment.get("PATH").cloned().unwrap_or_default();
    // An empty element would be the folder that the server happens to start in.
    let found = env::split_paths(&path).filter(|folder| folder.is_absolute()).find_map(|folder| among(&folder));
    found.ok_or_else(|| format!("there is no program `{command}` on the PATH"))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::Program;
    use std::{fs, os::unix::fs::PermissionsExt};

    fn environment(path: &str) -> Environment {
        Environment::new(&Program::new("x"), [("PATH".into(), path.into())].into_iter(), &Vec::new())
    }

    #[test]
    fn a_name_is_looked_up_on_the_path_and_a_path_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (tool, text) = (folder.path().join("tool"), folder.path().join("text"));
        for (file, mode) in [(&tool, 0o755), (&text, 0o644)] {
            fs::write(file, "#!/bin/sh\n").unwrap();
            fs::set_permissions(file, PermissionsExt::from_mode(mode)).unwrap();
        }
        let path = format!("/nowhere::.:{}", folder.path().display());
        assert_eq!(find("tool", &environment(&path)), Ok(tool.clone()));
        assert_eq!(find("text", &environment(&path)), Err("there is no program `text` on the PATH".to_owned()));
        assert_eq!(find("tool", &environment("")), Err("there is no program `tool` on the PATH".to_owned()));
        let (tool, text) = (tool.display().to_string(), text.display().to_string());
        assert_eq!(find(&tool, &environment("")), Ok(PathBuf::from(&tool)));
        assert_eq!(find(&text, &environment("")), Err(format!("`{text}` is no program that vmcp may run")));
        assert_eq!(find("/no/where", &environment("")), Err("there is no `/no/where`".to_owned()));
    }
}
