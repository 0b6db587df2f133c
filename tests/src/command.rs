//! The command `egb`, run as a process in a folder of its own.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::scratch::{SECRETS, Scratch, tempdir};

/// What is in all keys that tests add to a database, where the keys of [`SECRETS`] must not be.
const ADDED: &str = "an-added-key";

/// Runs the command with a database `keys.db` in a folder that is deleted afterwards. Whatever it prints is searched for
/// keys, unless it was told to reveal them.
#[derive(Debug)]
pub struct Egb {
    program: PathBuf,
    dir: Scratch,
}

/// What a run printed, and its exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// The exit code; -1 if it was killed.
    pub code: i32,
    /// Its stdout.
    pub out: String,
    /// Its stderr.
    pub err: String,
}

impl Printed {
    /// What it printed as JSON.
    ///
    /// # Panics
    ///
    /// When it did not succeed, or that is not JSON.
    pub fn json(&self) -> Value {
        assert!(matches!(self.code, 0 | 3), "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Its stdout, with `NOW` in place of what is seconds ago, and `SIZE` of what a file has.
    pub fn steady(&self) -> String {
        let mut text = self.out.clone();
        for seconds in 0..60 {
            text = text.replace(&format!(" {seconds}s ago"), " NOW").replace(&format!("\n{seconds}s ago"), "\nNOW");
        }
        let sizes: Vec<(usize, usize)> = text
            .match_indices(" kB")
            .map(|(end, unit)| {
                let start = text[..end].rfind(' ').map_or(0, |at| at + 1);
                (start, end + unit.len())
            })
            .collect();
        for (start, end) in sizes.into_iter().rev() {
            text.replace_range(start..end, "SIZE");
        }
        text
    }

    /// The exit code and stderr of a run that printed no result.
    ///
    /// # Panics
    ///
    /// When it printed one.
    pub fn refused(&self) -> (i32, &str) {
        assert_eq!(self.out, "", "{self:?}");
        (self.code, &self.err)
    }

    /// Its stdout, with nothing on stderr.
    ///
    /// # Panics
    ///
    /// When it did not succeed, or complained.
    pub fn fine(&self) -> &str {
        assert_eq!((self.code, &*self.err), (0, ""), "{self:?}");
        &self.out
    }
}

impl Egb {
    /// `program` is `env!("CARGO_BIN_EXE_egb_command")`.
    ///
    /// # Panics
    ///
    /// When there is no folder to be had.
    pub fn new(program: &str) -> Self {
        Self { program: program.into(), dir: tempdir().expect("a folder") }
    }

    /// The folder in which it runs.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// Its database.
    pub fn db(&self) -> PathBuf {
        self.path("keys.db")
    }

    /// Writes a file in the folder.
    ///
    /// # Panics
    ///
    /// When it can't be written.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// The command, to be changed before it runs. The surroundings are those of nobody, with `EGB_DB` alone.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(self.dir()).env("HOME", self.dir()).env("EGB_DB", "keys.db");
        let own = ["EGB_KEYS", "EGB_KEYS_FILE", "EGB_PASSPHRASE_FILE", "EGB_KEY_FILE", "XDG_DATA_HOME"];
        let of_terminals = ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES"];
        for variable in own.into_iter().chain(of_terminals) {
            command.env_remove(variable);
        }
        command.stdin(Stdio::null());
        command
    }

    /// Runs it.
    ///
    /// # Panics
    ///
    /// When it can't be run, or prints a key.
    pub fn run(&self, arguments: &[&str]) -> Printed {
        Self::finish(&mut self.command(arguments), "")
    }

    /// Runs it, and writes to its stdin.
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    pub fn run_with(&self, arguments: &[&str], stdin: &str) -> Printed {
        Self::finish(self.command(arguments).stdin(Stdio::piped()), stdin)
    }

    /// Runs a command to its end.
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    pub fn finish(command: &mut Command, stdin: &str) -> Printed {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command runs");
        if let Some(mut input) = child.stdin.take() {
            // It may not want all of it.
            let _ = input.write_all(stdin.as_bytes());
        }
        let ended = child.wait_with_output().expect("the command ends");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        let (out, err) = (text(ended.stdout), text(ended.stderr));
        let may_reveal = command.get_args().any(|argument| argument == "--reveal");
        for secret in SECRETS.into_iter().chain([ADDED]) {
            assert!(!err.contains(secret), "{err}");
            assert!(may_reveal || !out.contains(secret), "{out}");
        }
        Printed { code: ended.status.code().unwrap_or(-1), out, err }
    }
}
