//! A network namespace that is gone with the test, what `ip` says of it, and what the tree shows of it.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use cwmpd_tests::{Cwmpd, Sandbox};
use nix::sched::{CloneFlags, setns};
use serde_json::Value;

static COUNT: AtomicU32 = AtomicU32::new(0);

pub(crate) struct Namespace {
    pub(crate) name: String,
}

impl Namespace {
    /// A namespace with nothing but its loopback interface; `None`, with a line that says why, where none can be made.
    pub(crate) fn new() -> Option<Self> {
        Self::named(Self::free_name())
    }

    /// A name that no other namespace has.
    pub(crate) fn free_name() -> String {
        format!("cwmpd-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
    }

    /// One with this name.
    pub(crate) fn named(name: String) -> Option<Self> {
        let made = Command::new("ip").args(["netns", "add", &name]).output();
        let error = match made {
            Ok(output) if output.status.success() => {
                let namespace = Self { name };
                // Addresses are there at once, so that a test need not wait for them.
                namespace.write("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
                namespace.ip("link set lo up");
                return Some(namespace);
            }
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => format!("ip: {error}"),
        };
        // Where everything could have been installed, a skip hides a defect.
        assert!(std::env::var("CI").as_deref() != Ok("true"), "no network namespace: {error}");
        eprintln!("skipped: no network namespace without root and iproute2 ({error})");
        None
    }

    /// Runs `ip` in the namespace; the words are separated by blanks.
    pub(crate) fn ip(&self, words: &str) {
        let output = self.try_ip(words);
        assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// The same where the kernel may lack what is asked for.
    pub(crate) fn try_ip(&self, words: &str) -> Output {
        Command::new("ip").args(["-n", &self.name]).args(words.split(' ')).output().unwrap()
    }

    /// What `ip -j` says.
    pub(crate) fn json(&self, words: &str) -> Vec<Value> {
        let output = self.try_ip(&format!("-j {words}"));
        assert!(output.status.success(), "ip -j {words}: {}", String::from_utf8_lossy(&output.stderr));
        match serde_json::from_slice(&output.stdout) {
            // Of flags it does not know `ip` leaves empty objects.
            Ok(Value::Array(all)) => all.into_iter().filter(|item| item.get("_").is_none()).collect(),
            other if output.stdout.trim_ascii().is_empty() => {
                drop(other);
                Vec::new()
            }
            other => panic!("ip -j {words}: {other:?}"),
        }
    }

    pub(crate) fn exec(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let mut tee = self.exec("tee").arg(file).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        tee.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(tee.wait().unwrap().success(), "{file}");
    }

    /// Moves the present thread, and what it starts from now on, into the namespace.
    fn enter(&self) {
        let file = File::open(format!("/run/netns/{}", self.name)).unwrap();
        setns(file, CloneFlags::CLONE_NEWNET).unwrap();
    }

    /// Runs a test in the namespace, on a thread of its own: the namespace is the thread's.
    pub(crate) fn run(&self, test: impl Future<Output = ()> + Send) {
        let inside = || {
            self.enter();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(tokio::task::LocalSet::new().run_until(test));
        };
        std::thread::scope(|threads| threads.spawn(inside).join().unwrap());
    }

    /// Starts the real program in the namespace.
    pub(crate) fn cwmpd(&self, sandbox: &Sandbox) -> Cwmpd {
        let inside = || {
            self.enter();
            Cwmpd::start(sandbox).unwrap()
        };
        std::thread::scope(|threads| threads.spawn(inside).join().unwrap())
    }

    /// The tree, with numbers that are forgotten afterwards.
    pub(crate) fn tree(&self) -> Tree {
        self.tree_of(&["values"])
    }

    /// The tree, with numbers that are kept in this file.
    pub(crate) fn tree_with(&self, numbers: &Path) -> Tree {
        self.tree_of(&["values", numbers.to_str().unwrap()])
    }

    fn tree_of(&self, words: &[&str]) -> Tree {
        let output = self.exec(env!("CARGO_BIN_EXE_netview")).args(words).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let values = told["values"].as_object().unwrap().iter();
        let values = values.map(|(name, value)| (name.clone(), text(value))).collect();
        let tree = Tree { values, told };
        assert_eq!(tree.list("invalid"), [""; 0], "values that the model does not allow");
        assert_eq!(tree.list("dangling"), [""; 0], "references that lead nowhere");
        tree
    }

    /// A program that listens for changes; it listens when this returns.
    pub(crate) fn listener(&self) -> Listener {
        let mut command = self.exec(env!("CARGO_BIN_EXE_netview"));
        let mut child = command.arg("changes").stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut listener = Listener { child, lines };
        assert_eq!(listener.line(), "listening");
        listener
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        Command::new("ip").args(["netns", "del", &self.name]).status().ok();
    }
}

pub(crate) struct Listener {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Listener {
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// One reading of the tree.
pub(crate) struct Tree {
    pub(crate) values: BTreeMap<String, String>,
    pub(crate) told: Value,
}

/// The parameters of a row, and of single objects in it, by name without the path of the row.
pub(crate) type Row = BTreeMap<String, String>;

impl Tree {
    /// The rows of a table, by number.
    pub(crate) fn rows(&self, table: &str) -> BTreeMap<u32, Row> {
        let mut rows: BTreeMap<u32, Row> = BTreeMap::new();
        for (name, value) in &self.values {
            let Some((number, name)) = name.strip_prefix(table).and_then(|rest| rest.split_once('.')) else {
                continue;
            };
            rows.entry(number.parse().unwrap()).or_default().insert(name.to_owned(), value.clone());
        }
        rows
    }

    /// Rows by the value of a parameter of theirs.
    pub(crate) fn rows_by(&self, table: &str, key: &str) -> BTreeMap<String, Row> {
        self.rows(table).into_values().map(|row| (row[key].clone(), row)).collect()
    }

    /// The path of the row with this Name, without the last dot.
    pub(crate) fn path(&self, table: &str, name: &str) -> String {
        let rows = self.rows(table);
        let (number, _) = rows.iter().find(|(_, row)| row["Name"] == name).unwrap();
        format!("{table}{number}")
    }

    /// The Name of what a reference leads to; empty for none.
    pub(crate) fn name_of(&self, path: &str) -> String {
        if path.is_empty() { String::new() } else { self.values[&format!("{path}.Name")].clone() }
    }

    pub(crate) fn list(&self, key: &str) -> Vec<&str> {
        self.told[key].as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
    }
}

/// What a JSON value says, without quotes; empty for what is not there.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
