//! Device.Users: who can log in, from `/etc/passwd`, `/etc/group` and `/etc/shells`.
//!
//! Everything is read-only: accounts belong to the system's own tools. Of `/etc/shadow` nothing is told but whether an
//! account is locked.

use std::{
    collections::BTreeSet,
    rc::Rc,
    time::{SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use cwmp_platform::{
    instances::InstanceNumbers,
    source::{Access::ReadOnly, ObjectKind, ParameterSink, ParameterSource, SourceError, Wanted},
};

use crate::files::{Root, clean};

const USERS: &str = "Device.Users.";
const USER: &str = "Device.Users.User.";
const GROUP: &str = "Device.Users.Group.";
const SHELL: &str = "Device.Users.SupportedShell.";
const TABLE: ObjectKind = ObjectKind::Table { addable: false };
const INSTANCE: ObjectKind = ObjectKind::Instance { deletable: false };
/// Most rows of each table, shown and remembered.
const ROWS: usize = 64;
/// Longest names that the model takes, in characters.
const NAME_CHARS: usize = 64;
/// What stands in place of a shell where nobody is meant to log in, and what does its work and ends.
const NO_SHELLS: [&str; 6] = ["nologin", "false", "true", "sync", "halt", "shutdown"];
/// What an empty field means (passwd(5)).
const DEFAULT_SHELL: &str = "/bin/sh";
const SECONDS_OF_DAY: u64 = 86_400;

/// Answers for Users.
pub struct Users {
    root: Root,
    numbers: Rc<InstanceNumbers>,
    now: fn() -> SystemTime,
}

impl Users {
    /// Of the box below `root`; `numbers` gives the rows theirs, `now` tells which accounts have expired.
    #[must_use]
    pub fn new(root: Root, numbers: Rc<InstanceNumbers>, now: fn() -> SystemTime) -> Self {
        Self { root, numbers, now }
    }
}

/// An account that can log in.
#[derive(Debug, PartialEq, Eq)]
struct Account {
    name: String,
    id: u32,
    group: u32,
    shell: String,
    /// `None` where this cannot be told.
    locked: Option<bool>,
}

struct Group {
    name: String,
    id: u32,
    members: Vec<String>,
}

#[async_trait(?Send)]
impl ParameterSource for Users {
    fn name(&self) -> &'static str {
        "linux-users"
    }

    fn objects(&self) -> &[&'static str] {
        &[USERS, "Device.Users.User.{i}.", "Device.Users.Group.{i}.", "Device.Users.SupportedShell.{i}."]
    }

    async fn read(&self, wanted: &Wanted<'_>, out: &mut dyn ParameterSink) -> Result<(), SourceError> {
        if !wanted.touches(USERS) {
            return Ok(());
        }
        let root = &self.root;
        let accounts = accounts(root, (self.now)());
        let groups = groups(root, &accounts);
        let shells = shells(root);
        let paths = |table: &str, keys: Vec<&str>| -> Vec<Option<String>> {
            let numbers = self.numbers.assign(table, keys, ROWS).into_iter();
            numbers.map(|number| Some(format!("{table}{}", number?))).collect()
        };
        let user_rows = paths(USER, accounts.iter().map(|account| account.name.as_str()).collect());
        let group_rows = paths(GROUP, groups.iter().map(|group| group.name.as_str()).collect());
        let shell_rows = paths(SHELL, shells.iter().map(String::as_str).collect());

        out.object(USERS, ObjectKind::Single);
        out.object(USER, TABLE);
        for (account, path) in accounts.iter().zip(&user_rows) {
            let Some(path) = path else { continue };
            out.object(&format!("{path}."), INSTANCE);
            if let Some(locked) = account.locked {
                out.parameter("Enable", &!locked, ReadOnly);
            }
            out.parameter("UserID", &account.id, ReadOnly);
            // There is no user interface, so nobody reaches it from outside.
            out.parameter("RemoteAccessCapable", &false, ReadOnly);
            out.parameter("Username", &account.name, ReadOnly);
            out.parameter("Password", &"", ReadOnly);
            let of_user = groups.iter().zip(&group_rows).filter(|(group, _)| group.has(account));
            let of_user: Vec<&str> = of_user.filter_map(|(_, path)| path.as_deref()).collect();
            out.parameter("GroupParticipation", &of_user.join(","), ReadOnly);
            let shell = shells.iter().zip(&shell_rows).find(|(shell, _)| **shell == account.shell);
            let shell = shell.and_then(|(_, path)| path.as_deref()).unwrap_or_default();
            out.parameter("Shell", &shell, ReadOnly);
        }
        out.object(GROUP, TABLE);
        for (group, path) in groups.iter().zip(&group_rows) {
            let Some(path) = path else { continue };
            out.object(&format!("{path}."), INSTANCE);
            out.parameter("Enable", &true, ReadOnly);
            out.parameter("GroupID", &group.id, ReadOnly);
            out.parameter("Groupname", &group.name, ReadOnly);
        }
        out.object(SHELL, TABLE);
        for (shell, path) in shells.iter().zip(&shell_rows) {
            let Some(path) = path else { continue };
            out.object(&format!("{path}."), INSTANCE);
            out.parameter("Enable", &true, ReadOnly);
            out.parameter("Name", shell, ReadOnly);
        }
        // Before anybody sees them. A box whose disk is full answers all the same.
        if let Err(error) = self.numbers.keep().await {
            tracing::error!("new rows may have other numbers after a restart: {error}");
        }
        Ok(())
    }
}

impl Group {
    fn has(&self, account: &Account) -> bool {
        self.id == account.group || self.members.contains(&account.name)
    }
}

/// The accounts with a shell, in the order of the file, each name once.
fn accounts(root: &Root, now: SystemTime) -> Vec<Account> {
    let shadow = root.text("etc/shadow");
    let today = now.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs() / SECONDS_OF_DAY);
    let text = root.text("etc/passwd").unwrap_or_default();
    let mut known = BTreeSet::new();
    let account = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, password, id, group, _, _, shell] = fields[..] else { return None };
        let shell = if shell.is_empty() { DEFAULT_SHELL } else { shell };
        let program = shell.rsplit('/').next().unwrap_or_default();
        if NO_SHELLS.contains(&program) || !fits(name) || !known.insert(name.to_owned()) {
            return None;
        }
        let locked = match password {
            "x" => shadow.as_deref().and_then(|shadow| is_locked(shadow, name, today)),
            other => Some(locks(other)),
        };
        let (id, group) = (id.parse().ok()?, group.parse().ok()?);
        Some(Account { name: name.to_owned(), id, group, shell: shell.to_owned(), locked })
    };
    text.lines().filter_map(account).take(ROWS).collect()
}

/// Whether a line of shadow(5) keeps its account out, by its password or because it has expired; `None` without a line.
fn is_locked(shadow: &str, name: &str, today: Option<u64>) -> Option<bool> {
    let fields = |line: &str| -> Vec<String> { line.split(':').map(str::to_owned).collect() };
    let line = shadow.lines().map(fields).find(|fields| fields.first().is_some_and(|of| of == name))?;
    let expires = line.get(7).and_then(|day| day.parse::<u64>().ok());
    let expired = expires.zip(today).is_some_and(|(day, today)| day <= today);
    Some(expired || line.get(1).is_some_and(|password| locks(password)))
}

/// No password gives what these begin with.
fn locks(password: &str) -> bool {
    password.starts_with(['!', '*'])
}

/// The groups that somebody who can log in belongs to.
fn groups(root: &Root, accounts: &[Account]) -> Vec<Group> {
    let text = root.text("etc/group").unwrap_or_default();
    let mut known = BTreeSet::new();
    let group = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, id, members] = fields[..] else { return None };
        let members = members.split(',').map(str::to_owned).collect();
        let group = Group { name: name.to_owned(), id: id.parse().ok()?, members };
        let wanted = fits(name) && accounts.iter().any(|account| group.has(account));
        (wanted && known.insert(group.name.clone())).then_some(group)
    };
    text.lines().filter_map(group).take(ROWS).collect()
}

/// The programs that count as shells, each once.
fn shells(root: &Root) -> Vec<String> {
    let text = root.text("etc/shells").unwrap_or_default();
    let mut known = BTreeSet::new();
    let lines = text.lines().map(str::trim).filter(|line| line.starts_with('/') && fits(line));
    lines.filter(|line| known.insert(line.to_owned())).map(str::to_owned).take(ROWS).collect()
}

/// Whether a name can be shown as it is; a shortened one would be another.
fn fits(name: &str) -> bool {
    !name.is_empty() && clean(name, NAME_CHARS) == name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Collected, FakeRoot, assert_fits_the_model};

    /// Twenty days after 1970 began.
    const DAY_20: u64 = 20 * SECONDS_OF_DAY;

    fn users(root: &FakeRoot) -> Users {
        let now = || UNIX_EPOCH + std::time::Duration::from_secs(DAY_20);
        Users::new(root.root(), Rc::new(InstanceNumbers::in_memory()), now)
    }

    fn a_box() -> FakeRoot {
        let root = FakeRoot::new();
        root.file(
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/ash\n\
             daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n\
             admin:x:1000:100:Ann:/var/admin:\n\
             guest:x:1001:100::/var/guest:/bin/rare\n\
             old:x:1002:100::/var/old:/bin/sh\n\
             open::1003:100::/var/open:/bin/sh\n\
             root:x:0:0:again:/root:/bin/sh\n\
             cut:x:5\n\
             odd:x:minus:0:::/bin/sh\n",
        );
        root.file(
            "etc/shadow",
            "root:$6$verysecret$hash:19000:0:99999:7:::\n\
             admin:!$6$locked$hash:19000:0:99999:7:::\n\
             guest:*:19000::::::\n\
             old:$1$secret:1:0:99999:7::19:\n",
        );
        root.file("etc/group", "root:x:0:\nwheel:x:10:admin,root\nusers:x:100:\nempty:x:500:\ncut:x\n");
        root.file("etc/shells", "# shells\n/bin/ash\n/bin/sh\n/bin/sh\nbash\n");
        root
    }

    #[tokio::test]
    async fn who_can_log_in_is_shown_and_nothing_of_a_password() {
        let root = a_box();
        let collected = Collected::from(&users(&root), &["Device."]).await;
        let row = |object: &str| {
            let of_row = collected.values.iter().filter_map(|(path, (value, _))| {
                Some(format!("{}={value}", path.strip_prefix(&format!("Device.Users.{object}."))?))
            });
            of_row.collect::<Vec<_>>().join(" ").replace("Device.Users.", "")
        };
        assert_eq!(
            row("User.1"),
            "Enable=true GroupParticipation=Group.1,Group.2 Password= RemoteAccessCapable=false \
             Shell=SupportedShell.1 UserID=0 Username=root"
        );
        assert_eq!(
            row("User.2"),
            "Enable=false GroupParticipation=Group.2,Group.3 Password= RemoteAccessCapable=false \
             Shell=SupportedShell.2 UserID=1000 Username=admin"
        );
        assert!(row("User.3").starts_with("Enable=false "), "{}", row("User.3"));
        assert!(row("User.3").contains(" Shell= "), "a shell that the system does not list");
        assert!(row("User.4").starts_with("Enable=false "), "expired yesterday: {}", row("User.4"));
        assert!(row("User.5").starts_with("Enable=true "), "no password at all: {}", row("User.5"));
        assert_eq!(row("User.6"), "");
        assert_eq!(row("Group.2"), "Enable=true GroupID=10 Groupname=wheel");
        assert_eq!(row("Group.4"), "", "nobody who can log in is in it");
        assert_eq!(row("SupportedShell.2"), "Enable=true Name=/bin/sh");
        assert_eq!(row("SupportedShell.3"), "");
        let all = format!("{:?}", collected.values);
        for secret in ["$6$", "$1$", "hash", "secret", "locked"] {
            assert!(!all.contains(secret), "{secret} is in {all}");
        }
        assert_fits_the_model(&users(&root)).await;
    }

    #[tokio::test]
    async fn without_the_right_to_read_shadow_nobody_is_said_to_be_locked() {
        let root = a_box();
        std::fs::remove_file(root.path().join("etc/shadow")).unwrap();
        let collected = Collected::from(&users(&root), &["Device.Users."]).await;
        assert_eq!(collected.value("Device.Users.User.1.Username"), Some("root"));
        assert_eq!(collected.value("Device.Users.User.1.Enable"), None);
        assert_eq!(collected.value("Device.Users.User.5.Enable"), Some("true"));
    }

    #[tokio::test]
    async fn files_that_are_absent_odd_or_endless_are_bounded() {
        let root = FakeRoot::new();
        let collected = Collected::from(&users(&root), &[""]).await;
        assert_eq!(collected.values.len(), 0);
        assert_eq!(collected.objects.len(), 4);
        let line = |n: u32| format!("user{n}:x:{n}:7::/srv:/bin/sh\n");
        root.file("etc/passwd", (0..1000).map(line).collect::<String>());
        root.file("etc/group", b"\xff\xfe:x:7:\n\0:x:7:\nx:x:7:\n".as_slice());
        root.file("etc/shells", "/bin/sh\n".repeat(10_000));
        let collected = Collected::from(&users(&root), &[""]).await;
        assert_eq!(collected.value("Device.Users.User.64.Username"), Some("user63"));
        assert_eq!(collected.value("Device.Users.User.65.Username"), None);
        assert_eq!(collected.value("Device.Users.SupportedShell.2.Name"), None);
    }
}
