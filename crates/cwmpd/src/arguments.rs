//! The command line.

use std::path::PathBuf;

use cwmp_core::event::EventCode;
use lexopt::{Arg, Parser, ValueExt};

/// Where the configuration lies unless told otherwise.
pub(crate) const CONFIG_FOLDER: &str = "/etc/cwmpd";
/// Where the control socket lies unless told otherwise.
pub(crate) const CONTROL_SOCKET: &str = "/var/run/cwmpd.sock";

/// What `--help` prints.
pub(crate) const HELP: &str = "\
cwmpd: a TR-069 (CWMP) agent

usage: cwmpd run [--config FOLDER]          run the agent in the foreground
       cwmpd get PATH...                    read parameters or whole objects
       cwmpd set PATH=VALUE...              set parameters, all or none
       cwmpd status                         what the agent does and waits for
       cwmpd inform                         hold a session with the ACS now
       cwmpd acs-methods                    hold a session and ask the ACS for its methods
       cwmpd event CODE                     report a vendor's event, such as 'X 00D09E Backup done'
       cwmpd reboot                         restart the box
       cwmpd factory-reset                  put the box back into its factory state
       cwmpd datamodel list [PATH]          what is supported: type, access, source
       cwmpd datamodel explain NAME         where a parameter comes from and what the model says of it
       cwmpd datamodel set --dry-run NAME VALUE...   what a change would do
       cwmpd datamodel coverage             how much of TR-181 is there, and what violates it
       cwmpd datamodel xml                  the supported model as a device type document

options: --config FOLDER   folder of factory.ini, ISP.def and user.ini (default: /etc/cwmpd)
         --control SOCKET  socket of the running agent (default: /var/run/cwmpd.sock)
         --help, --version
";

/// What the program is to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Run {
        config: PathBuf,
    },
    /// A question about the data model, answered from the files.
    DataModel {
        config: PathBuf,
        query: crate::datamodel::Query,
    },
    Ask {
        socket: PathBuf,
        request: crate::control::Request,
    },
    Help,
    Version,
}

/// Reads the command line.
///
/// # Errors
/// A sentence that says what is wrong and how it should be.
pub(crate) fn parse(mut parser: Parser) -> Result<Command, String> {
    let (mut config, mut socket) = (PathBuf::from(CONFIG_FOLDER), PathBuf::from(CONTROL_SOCKET));
    let (mut words, mut dry_run) = (Vec::new(), false);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            Arg::Long("version") | Arg::Short('V') => return Ok(Command::Version),
            Arg::Long("config") => config = parser.value().map_err(|error| error.to_string())?.into(),
            Arg::Long("control") => socket = parser.value().map_err(|error| error.to_string())?.into(),
            Arg::Long("dry-run") => dry_run = true,
            Arg::Value(word) => words.push(word.string().map_err(|error| error.to_string())?),
            other => return Err(other.unexpected().to_string()),
        }
    }
    let mut words = words.into_iter();
    let verb = words.next().ok_or("a command is missing: try `cwmpd --help`")?;
    let rest: Vec<String> = words.collect();
    if verb == "run" {
        return if rest.is_empty() {
            Ok(Command::Run { config })
        } else {
            Err("run takes no arguments".to_owned())
        };
    }
    if verb == "datamodel" {
        return Ok(Command::DataModel { config, query: crate::datamodel::query(rest, dry_run)? });
    }
    if dry_run {
        return Err("--dry-run belongs to `cwmpd datamodel set`".to_owned());
    }
    Ok(Command::Ask { socket, request: request(&verb, rest)? })
}

fn request(verb: &str, rest: Vec<String>) -> Result<crate::control::Request, String> {
    use crate::control::Request;
    let lone =
        |request| if rest.is_empty() { Ok(request) } else { Err(format!("{verb} takes no arguments")) };
    match verb {
        "get" if !rest.is_empty() => Ok(Request::Get { paths: rest }),
        "get" => Err("get needs a path, such as Device.DeviceInfo.".to_owned()),
        "set" if !rest.is_empty() => {
            let pairs = rest.iter().map(|pair| {
                let (path, value) =
                    pair.split_once('=').ok_or_else(|| format!("`{pair}` is not PATH=VALUE"))?;
                Ok((path.to_owned(), value.to_owned()))
            });
            Ok(Request::Set { values: pairs.collect::<Result<_, String>>()? })
        }
        "set" => Err("set needs PATH=VALUE".to_owned()),
        "status" => lone(Request::Status),
        "inform" => lone(Request::Inform),
        "event" => match <[String; 1]>::try_from(rest) {
            Ok([code]) if EventCode::parse(&code).is_vendor() => Ok(Request::Event { code }),
            Ok([code]) => Err(format!("`{code}` is no event of a vendor, such as 'X 00D09E Backup done'")),
            Err(_) => Err("event needs one code, such as 'X 00D09E Backup done'".to_owned()),
        },
        "acs-methods" => lone(Request::AcsMethods),
        "reboot" => lone(Request::Reboot),
        "factory-reset" => lone(Request::FactoryReset),
        other => Err(format!("`{other}` is no command: try `cwmpd --help`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Request;

    fn read(words: &[&str]) -> Result<Command, String> {
        parse(Parser::from_args(words))
    }

    #[test]
    fn commands() {
        assert_eq!(read(&["run", "--config", "/x"]), Ok(Command::Run { config: "/x".into() }));
        let socket: PathBuf = "/s".into();
        let set = Request::Set { values: vec![("Device.A".into(), "b=c".into())] };
        assert_eq!(read(&["--control=/s", "set", "Device.A=b=c"]), Ok(Command::Ask { socket, request: set }));
        assert_eq!(read(&["-h"]), Ok(Command::Help));
    }

    #[test]
    fn errors_say_what_is_wrong() {
        assert_eq!(read(&["dance"]), Err("`dance` is no command: try `cwmpd --help`".into()));
        assert_eq!(read(&["set", "Device.A"]), Err("`Device.A` is not PATH=VALUE".into()));
        assert_eq!(read(&["run", "now"]), Err("run takes no arguments".into()));
        assert!(read(&["event", "1 BOOT"]).unwrap_err().starts_with("`1 BOOT` is no event of a vendor"));
        assert!(read(&["event"]).unwrap_err().starts_with("event needs one code"));
        assert!(read(&["--loud"]).unwrap_err().contains("--loud"));
    }
}
