//! What the operating system calls its users. The environment is not asked: whoever starts a program writes there what they like.

use std::{fs, io::Read as _};

/// Where systems list their users.
const USERS: &str = "/etc/passwd";

/// No more of it is read, in bytes.
const MAX: u64 = 1 << 20;

/// The name of the user that this process runs as.
pub(crate) fn own() -> String {
    system_user(rustix::process::geteuid().as_raw())
}

/// The operating system's name for the user with this number (`/etc/passwd`), or the number where the list has none (users of a directory
/// service).
#[must_use]
pub fn system_user(uid: u32) -> String {
    let mut list = Vec::new();
    let read = fs::File::open(USERS).and_then(|file| file.take(MAX).read_to_end(&mut list));
    let listed = read.ok().and_then(|_| find(&String::from_utf8_lossy(&list), uid));
    listed.unwrap_or_else(|| uid.to_string())
}

/// passwd(5): name, password, number, and more, with colons between them. The first line with the number counts.
fn find(list: &str, uid: u32) -> Option<String> {
    list.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        (!name.is_empty() && number.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_called_as_the_system_says() {
        let list = "# comment\nroot:x:0:0:root:/root:/bin/sh\n:x:7::\nada:x:1000:1000::/home/ada:/bin/sh\ntwin:x:1000:1::/:\n";
        assert_eq!(find(list, 0).as_deref(), Some("root"));
        assert_eq!(find(list, 1000).as_deref(), Some("ada"));
        assert_eq!((find(list, 7), find(list, 10)), (None, None));
    }

    #[test]
    fn a_user_that_is_not_listed_is_called_by_its_number() {
        assert_eq!(system_user(u32::MAX - 1), (u32::MAX - 1).to_string());
    }

    #[test]
    fn vmcps_own_user_is_the_one_that_it_runs_as() {
        use std::os::unix::fs::MetadataExt as _;

        // A file is its maker's. Asking `id` for the name would ask directory services too, which may know this user by another one.
        let made = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(own(), system_user(made.as_file().metadata().unwrap().uid()));
    }
}
