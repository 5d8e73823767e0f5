//! How many processes the program is.

use nix::unistd::{User, geteuid};

use super::Config;

/// How many processes the program is.
#[derive(Debug, PartialEq)]
pub(crate) enum Processes {
    /// One.
    One {
        /// Why, for the log.
        because: String,
    },
    /// The protocol has a process of its own.
    Two {
        /// As this user; `None` where the program may not change it, and has nothing to give up.
        user: Option<User>,
    },
}

impl Config {
    /// What `single_process` comes to on this box.
    ///
    /// # Errors
    /// Two processes are asked for, and what one of them needs is missing.
    pub(crate) fn processes(&self) -> Result<Processes, String> {
        let name = &self.protocol_user;
        let one = |because: &str| Ok(Processes::One { because: because.to_owned() });
        let root = geteuid().is_root();
        if self.path.namespace.is_some() && self.single_process != Some(true) {
            // Each socket is made by a thread that enters it, which takes privileges.
            let why = "management_namespace can be entered by a program with privileges alone";
            return match self.single_process {
                Some(_) => Err(format!("single_process = false: {why}")),
                None => one(why),
            };
        }
        match self.single_process {
            Some(true) => return one("single_process is true"),
            Some(false) if !root => return Ok(Processes::Two { user: None }),
            None if self.sandbox => return one("it is a sandbox, and single_process is not set"),
            None if !root => return one("it does not run as root, and single_process is not set"),
            _ => {}
        }
        let found = User::from_name(name).map_err(|error| format!("protocol_user {name}: {error}"))?;
        match found {
            Some(user) if user.uid.is_root() => Err(format!("protocol_user {name} must not be root")),
            Some(user) => Ok(Processes::Two { user: Some(user) }),
            None if self.single_process.is_some() => Err(format!(
                "single_process = false needs the user {name} (protocol_user), which does not exist: create it, without a shell and a home"
            )),
            None => one(&format!("there is no user {name} (protocol_user) for a second one")),
        }
    }
}
