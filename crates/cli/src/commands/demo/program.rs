//! How to start this program again, from a shell.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
};

/// `vmcp` where a shell finds that, else the path of what is running: `cargo run` leaves it in a folder that no shell looks into.
pub(super) fn program() -> String {
    word(env::var_os("PATH").as_deref(), env::current_exe().ok())
}

fn word(path: Option<&OsStr>, own: Option<PathBuf>) -> String {
    let file = format!("vmcp{}", env::consts::EXE_SUFFIX);
    let found = path.is_some_and(|path| env::split_paths(path).any(|folder| folder.join(&file).is_file()));
    match own {
        Some(own) if !found => quoted(&own),
        _ => "vmcp".to_owned(),
    }
}

/// A path as one word of a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "-_./".contains(c) || (cfg!(windows) && r"\:".contains(c));
    match text.chars().all(plain) {
        true => text,
        false if cfg!(windows) => format!("\"{text}\""),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn it_is_called_by_its_name_only_where_that_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let own = || Some(PathBuf::from("/src/vmcp/target/release/vmcp"));
        let path = env::join_paths([Path::new("/nonexistent"), folder.path()]).unwrap();
        assert_eq!(word(None, own()), "/src/vmcp/target/release/vmcp");
        assert_eq!(word(Some(&path), own()), "/src/vmcp/target/release/vmcp");
        fs::write(folder.path().join(format!("vmcp{}", env::consts::EXE_SUFFIX)), "").unwrap();
        assert_eq!(word(Some(&path), own()), "vmcp");
        assert_eq!(word(None, None), "vmcp");
    }

    #[cfg(unix)]
    #[test]
    fn a_path_is_one_word() {
        assert_eq!(quoted(Path::new("/a b/it's/vmcp")), r"'/a b/it'\''s/vmcp'");
    }
}
