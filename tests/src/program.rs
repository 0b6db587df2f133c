//! A program that runs beside a test and does as it is told, a line at a time.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A running program that answers each line with one line. It is killed when this is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Program {
    /// Starts it, and waits until it says that it is ready. `None` when it can't be, or says something else.
    pub fn start(command: &mut Command) -> Option<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
        let (orders, answers) = (child.stdin.take()?, BufReader::new(child.stdout.take()?));
        let mut program = Self { child, orders, answers };
        (program.answer() == "ready").then_some(program)
    }

    /// Gives an order, and returns the answer; "" when the program has ended.
    pub fn tell(&mut self, order: &str) -> String {
        self.order(order);
        self.answer()
    }

    /// Gives an order, and does not wait for the answer.
    pub fn order(&mut self, order: &str) {
        // A program that has ended is seen by its answer.
        let _ = writeln!(self.orders, "{order}");
    }

    fn answer(&mut self) -> String {
        let mut answer = String::new();
        let _ = self.answers.read_line(&mut answer);
        answer.trim_end().to_owned()
    }

    /// Sends it a signal, as the command `kill` names it: `-STOP`.
    ///
    /// # Panics
    ///
    /// When that can't be done.
    pub fn signal(&self, signal: &str) {
        // Of the shell, as not every system has a program of that name.
        let sent = Command::new("sh").args(["-c", "kill \"$@\"", "sh", signal, &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill {signal}");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
