//! The command line of the program.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf};

use lexopt::{Arg, Parser, ValueExt};

use crate::{
    options::{AcsOptions, Authentication, FileOptions, Login},
    serve::ServeOptions,
};

/// What `--help` says.
pub const USAGE: &str = "\
cwmp-acs: a small ACS for development

usage: cwmp-acs serve [options]          run the ACS, print sessions, read commands (`help` lists them)
       cwmp-acs --control SOCKET COMMAND have a running ACS do one command; exit status 1 for a fault

options of serve:
  --listen ADDRESS:PORT       where to listen (127.0.0.1:7557)
  --auth none|basic|digest    how CPEs prove who they are (digest with --username, else none)
  --username U --password P   what CPEs have to give, and for connection requests unless set below
  --cr-username U --cr-password P
                              ConnectionRequestUsername and -Password of the CPEs
  --udp-from ADDRESS:PORT     where connection requests over UDP come from: the address of the STUN server, which
                              lets it be shared, where a NAT lets in nothing else
  --files FOLDER              serve this folder at /files/, and take uploads there
  --control SOCKET            take one-shot commands at this Unix socket
  --prompt                    read commands from standard input even if it is no terminal";

/// Default address: the port that GenieACS uses too is out of the way of a CPE's own 7547.
const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 7557);

/// What to do.
pub enum Task {
    /// Show [`USAGE`].
    Help,
    /// Run the ACS.
    Serve(Box<ServeOptions>),
    /// One command for a running one.
    OneShot {
        /// Its socket.
        control: PathBuf,
        /// The command in words.
        words: Vec<String>,
    },
}

/// Reads the arguments behind the program's name.
///
/// # Errors
/// Says which argument is wrong and why.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Task, lexopt::Error> {
    let mut parser = Parser::from_args(arguments);
    let mut listen = SocketAddr::from(LISTEN);
    let (mut auth, mut username, mut password) = (None::<String>, None::<String>, String::new());
    let (mut cr_username, mut cr_password) = (None::<String>, None::<String>);
    let mut udp_requests_from = None;
    let (mut files, mut control, mut prompt) = (None::<PathBuf>, None::<PathBuf>, false);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Task::Help),
            Arg::Long("udp-from") => udp_requests_from = Some(parser.value()?.parse()?),
            Arg::Long("listen") => listen = parser.value()?.parse()?,
            Arg::Long("auth") => auth = Some(parser.value()?.string()?),
            Arg::Long("username") => username = Some(parser.value()?.string()?),
            Arg::Long("password") => password = parser.value()?.string()?,
            Arg::Long("cr-username") => cr_username = Some(parser.value()?.string()?),
            Arg::Long("cr-password") => cr_password = Some(parser.value()?.string()?),
            Arg::Long("files") => files = Some(parser.value()?.into()),
            Arg::Long("control") => control = Some(parser.value()?.into()),
            Arg::Long("prompt") => prompt = true,
            Arg::Value(word) if word == "serve" => {}
            Arg::Value(word) => {
                let Some(control) = control else {
                    return Err("a command for a running ACS wants --control SOCKET before it".into());
                };
                let mut words = vec![word.string()?];
                for word in parser.raw_args()? {
                    words.push(word.string()?);
                }
                return Ok(Task::OneShot { control, words });
            }
            other => return Err(other.unexpected()),
        }
    }
    let login = username.map(|username| Login::new(username, password.clone()));
    let authentication = match (auth.as_deref(), login.clone()) {
        (None, None) | (Some("none"), _) => Authentication::None,
        (Some("basic"), Some(login)) => Authentication::Basic(login),
        (None | Some("digest"), Some(login)) => Authentication::digest(login.username, login.password),
        (Some("basic" | "digest"), None) => return Err("--auth wants --username and --password".into()),
        (Some(other), _) => return Err(format!("--auth {other}: none, basic or digest").into()),
    };
    let connection_request = match cr_username {
        Some(username) => Some(Login::new(username, cr_password.unwrap_or_default())),
        None => login,
    };
    let files = files.map(FileOptions::folder);
    let acs = AcsOptions {
        listen,
        authentication,
        connection_request,
        udp_requests_from,
        files,
        ..AcsOptions::default()
    };
    Ok(Task::Serve(Box::new(ServeOptions { acs, control, prompt })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Task, lexopt::Error> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn a_user_name_asks_for_digest() {
        let Ok(Task::Serve(options)) = read("serve --listen [::1]:0 --username u --password p --prompt")
        else {
            panic!("not understood")
        };
        assert!(matches!(options.acs.authentication, Authentication::Digest { .. }));
        assert_eq!(options.acs.connection_request, Some(Login::new("u", "p")));
        assert!(options.acs.listen.is_ipv6() && options.prompt);
    }

    #[test]
    fn words_behind_a_command_are_its_own() {
        let Ok(Task::OneShot { control, words }) = read("--control /tmp/s set Device.A=--x --help") else {
            panic!("not understood")
        };
        assert_eq!(control, PathBuf::from("/tmp/s"));
        assert_eq!(words, ["set", "Device.A=--x", "--help"]);
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for line in [
            "get Device.",
            "serve --auth basic",
            "serve --auth ntlm --username u",
            "serve --listen x",
            "--frobnicate",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
        assert!(matches!(read("--help"), Ok(Task::Help)));
    }
}
