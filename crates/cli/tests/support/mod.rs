//! What the tests of commands that talk have in common: the binary, a running one, and a small server of another make.

#![allow(dead_code, unused_imports, reason = "every test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot start its process has failed")]

mod other;
mod raw;

pub(crate) use other::Other;
pub(crate) use raw::{post, post_to, request};

use serde_json::Value;
use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

/// How long anything may take before a test fails: never a pause, only a bound.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with files, where commands run.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a command to its end.
    pub(crate) fn vmcp(&self, arguments: &[&str]) -> Ended {
        self.vmcp_with("", arguments)
    }

    /// The same with something to read on standard input.
    pub(crate) fn vmcp_with(&self, input: &str, arguments: &[&str]) -> Ended {
        run(command(self.0.path(), arguments), input)
    }

    /// The same with environment variables.
    pub(crate) fn vmcp_in(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Ended {
        let mut command = command(self.0.path(), arguments);
        command.envs(environment.iter().copied());
        run(command, "")
    }

    /// The same with arguments that need not be text.
    pub(crate) fn vmcp_os(&self, arguments: &[&OsStr]) -> Ended {
        run(command(self.0.path(), arguments), "")
    }

    /// Starts a command that goes on until it is stopped.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        self.start_in(&[], arguments)
    }

    /// The same with environment variables.
    pub(crate) fn start_in(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Running {
        let mut command = command(self.0.path(), arguments);
        command.envs(environment.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        Running { child, stdout, stderr, heard: String::new() }
    }
}

fn run(mut command: Command, input: &str) -> Ended {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that reads nothing has closed it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    Ended::new(child.wait_with_output().unwrap())
}

fn command(folder: &Path, arguments: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vmcp"));
    command.args(arguments).current_dir(folder).env_clear();
    command
}

fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// What a command did.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    fn new(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// What it printed, when all went well.
    pub(crate) fn good(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""), "{}", self.stdout);
        self.stdout
    }

    /// The same as JSON.
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.good()).unwrap()
    }

    /// The one line that said why it failed.
    pub(crate) fn error(self) -> String {
        self.error_with(1)
    }

    /// The one line that said what is wrong with the command line.
    pub(crate) fn usage(self) -> String {
        assert_eq!(self.stdout, "");
        self.error_with(2)
    }

    fn error_with(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        self.stderr.trim_end().strip_prefix("error: ").unwrap_or(&self.stderr).to_owned()
    }
}

/// A command that is running. Dropping it kills it.
pub(crate) struct Running {
    child: Child,
    pub(crate) stdout: Receiver<String>,
    pub(crate) stderr: Receiver<String>,
    /// What standard error said so far.
    pub(crate) heard: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// Waits for the line that says where it listens, and gives the endpoint's URL.
    pub(crate) fn url(&mut self) -> String {
        loop {
            let line = self.stderr.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("it does not listen:\n{}", self.heard));
            self.heard += &line;
            self.heard.push('\n');
            if let Some((_, rest)) = line.split_once("listening on ") {
                return rest.split([' ', ';', '"']).next().unwrap().to_owned();
            }
        }
    }

    /// How many of its threads have a name that begins like this.
    #[cfg(target_os = "linux")]
    pub(crate) fn threads(&self, name: &str) -> usize {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
        names.filter(|thread| thread.starts_with(name)).count()
    }

    /// The next line on standard output.
    pub(crate) fn line(&self) -> String {
        self.stdout.recv_timeout(PATIENCE).unwrap()
    }

    /// Sends a signal and waits for the end. Gives the exit code and everything that standard error said.
    #[cfg(unix)]
    pub(crate) fn stop(mut self, signal: &str) -> (Option<i32>, String) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        // Its end closes the pipe; a process that does not end fails the wait.
        while let Ok(line) = self.stderr.recv_timeout(PATIENCE) {
            self.heard += &line;
            self.heard.push('\n');
        }
        (self.child.wait().unwrap().code(), std::mem::take(&mut self.heard))
    }
}

/// A running demo: a gateway, and two MCP servers that can be asked directly.
pub(crate) struct Demo {
    pub(crate) folder: Folder,
    pub(crate) running: Running,
    pub(crate) url: String,
    pub(crate) story: Value,
}

impl Demo {
    pub(crate) fn start() -> Self {
        let folder = Folder::new(&[]);
        let mut running = folder.start(&["demo", "--port", "0", "--json"]);
        let url = running.url();
        let story = serde_json::from_str(&running.line()).unwrap();
        Self { folder, running, url, story }
    }

    /// A server's own endpoint.
    pub(crate) fn backend(&self, name: &str) -> &str {
        let servers = self.story["backends"].as_array().unwrap();
        servers.iter().find(|server| server["name"] == name).unwrap()["url"].as_str().unwrap()
    }

    /// A configuration for its servers, with something to add to each, and one that does not answer.
    pub(crate) fn config(&self, name: &str, github: &str, wiki: &str) -> String {
        let yaml = format!(
            "backends:\n  - {{ name: github, url: '{}', {github} }}\n  - {{ name: wiki, url: '{}', {wiki} }}\n",
            self.backend("github"),
            self.backend("wiki")
        );
        let path = self.folder.path(name);
        std::fs::write(&path, yaml).unwrap();
        path.to_str().unwrap().to_owned()
    }
}
