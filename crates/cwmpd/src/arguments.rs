//! The command line.

use std::path::PathBuf;

use cwmp_core::{agent::LocalTransfer, event::EventCode};
use lexopt::{Arg, Parser, ValueExt};

use crate::discovery::Announcement;

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
       cwmpd add TABLE.                     add a row, and print its number
       cwmpd del ROW.                       delete a row
       cwmpd reload                         start again with the configuration as it is now
       cwmpd status                         what the agent does and waits for
       cwmpd inform                         hold a session with the ACS now
       cwmpd acs-methods                    hold a session and ask the ACS for its methods
       cwmpd event CODE                     report a vendor's event, such as 'X 00D09E Backup done'
       cwmpd download URL --type TYPE       fetch a file and use it, as Download of the ACS would
       cwmpd upload URL --type TYPE         send a file, as Upload of the ACS would
       cwmpd confirm KEY                    agree to a scheduled download that asks for it (see status)
       cwmpd request-download TYPE [NAME=VALUE...]
                                            ask the ACS for a download
       cwmpd dhcp --interface DEVICE [--option43 HEX] [--option125 HEX] [--option17 HEX]...
                                            what a DHCP client was told, for its hooks to hand over
       cwmpd dhcp-options                   what DHCP client and server are to say, in hexadecimal digits
       cwmpd migrate [easycwmp|icwmp] [--dry-run] [--force]
                                            take over the settings of another agent (OpenWrt)
       cwmpd reboot                         restart the box
       cwmpd factory-reset                  put the box back into its factory state
       cwmpd datamodel list [PATH]          what is supported: type, access, source
       cwmpd datamodel explain NAME         where a parameter comes from and what the model says of it
       cwmpd datamodel set --dry-run NAME VALUE...   what a change would do
       cwmpd datamodel coverage             how much of TR-181 is there, and what violates it
       cwmpd datamodel xml                  the supported model as a device type document

options: --config FOLDER   folder of factory.ini, ISP.def and user.ini (default: /etc/cwmpd)
         --control SOCKET  socket of the running agent (default: /var/run/cwmpd.sock)
         --type TYPE       file type, such as '3 Vendor Configuration File'
         --name NAME       name that the file gets on the box, where its type leaves one
         --username NAME, --password-file FILE
                           credentials for the file server
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
    /// What the box says of itself over DHCP, answered from the files.
    DhcpOptions {
        config: PathBuf,
    },
    /// Take over the settings of another agent.
    #[cfg(feature = "openwrt")]
    Migrate {
        config: PathBuf,
        migration: crate::migrate::Migration,
    },
    Ask {
        socket: PathBuf,
        request: crate::control::Request,
    },
    /// Be the protocol process of a box process.
    Protocol,
    Help,
    Version,
}

/// Reads the command line.
///
/// # Errors
/// A sentence that says what is wrong and how it should be.
pub(crate) fn parse(mut parser: Parser) -> Result<Command, String> {
    let (mut config, mut socket) = (PathBuf::from(CONFIG_FOLDER), PathBuf::from(CONTROL_SOCKET));
    let (mut words, mut file, mut dry_run) = (Vec::new(), FileOptions::default(), false);
    let mut force = false;
    let mut dhcp = Announcement::default();
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            Arg::Long("version") | Arg::Short('V') => return Ok(Command::Version),
            Arg::Long("config") => config = parser.value().map_err(|error| error.to_string())?.into(),
            Arg::Long("control") => socket = parser.value().map_err(|error| error.to_string())?.into(),
            Arg::Long("type") => file.file_type = Some(text(&mut parser)?),
            Arg::Long("name") => file.name = text(&mut parser)?,
            Arg::Long("username") => file.username = text(&mut parser)?,
            Arg::Long("password-file") => {
                let path = PathBuf::from(parser.value().map_err(|error| error.to_string())?);
                file.password = std::fs::read_to_string(&path)
                    .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
                    .map_err(|error| format!("{}: {error}", path.display()))?;
            }
            Arg::Long("interface") => dhcp.interface = text(&mut parser)?,
            Arg::Long("option43") => dhcp.option43 = Some(text(&mut parser)?),
            Arg::Long("option125") => dhcp.option125 = Some(text(&mut parser)?),
            Arg::Long("option17") => dhcp.option17.push(text(&mut parser)?),
            Arg::Long("dry-run") => dry_run = true,
            Arg::Long("force") => force = true,
            Arg::Value(word) => words.push(word.string().map_err(|error| error.to_string())?),
            other => return Err(other.unexpected().to_string()),
        }
    }
    let mut words = words.into_iter();
    let verb = words.next().ok_or("a command is missing: try `cwmpd --help`")?;
    let rest: Vec<String> = words.collect();
    if verb == crate::child::VERB && rest.is_empty() {
        return Ok(Command::Protocol);
    }
    if force && verb != "migrate" {
        return Err("--force belongs to `cwmpd migrate`".to_owned());
    }
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
    if verb == "dhcp-options" && rest.is_empty() {
        return Ok(Command::DhcpOptions { config });
    }
    if verb == "migrate" {
        return migrate(config, rest, dry_run, force);
    }
    if dry_run {
        return Err("--dry-run belongs to `cwmpd datamodel set` and `cwmpd migrate`".to_owned());
    }
    let request = match verb.as_str() {
        "download" | "upload" => transfer(&verb, rest, file)?,
        "dhcp" => announcement(rest, dhcp)?,
        _ => request(&verb, rest)?,
    };
    Ok(Command::Ask { socket, request })
}

#[cfg(feature = "openwrt")]
fn migrate(config: PathBuf, rest: Vec<String>, dry_run: bool, force: bool) -> Result<Command, String> {
    crate::migrate::parse(rest, dry_run, force).map(|migration| Command::Migrate { config, migration })
}

#[cfg(not(feature = "openwrt"))]
fn migrate(_: PathBuf, _: Vec<String>, _: bool, _: bool) -> Result<Command, String> {
    Err("migrate is for OpenWrt, whose backend this build has not".to_owned())
}

/// What belongs to a transfer.
#[derive(Default)]
struct FileOptions {
    file_type: Option<String>,
    name: String,
    username: String,
    password: String,
}

fn text(parser: &mut Parser) -> Result<String, String> {
    parser.value().and_then(|value| value.string()).map_err(|error| error.to_string())
}

fn transfer(verb: &str, rest: Vec<String>, file: FileOptions) -> Result<crate::control::Request, String> {
    let Ok([url]) = <[String; 1]>::try_from(rest) else { return Err(format!("{verb} needs one URL")) };
    let file_type = file
        .file_type
        .ok_or_else(|| format!("{verb} needs --type, such as '3 Vendor Configuration File'"))?;
    let FileOptions { name: target_file_name, username, password, .. } = file;
    let order =
        LocalTransfer { download: verb == "download", file_type, url, username, password, target_file_name };
    Ok(crate::control::Request::Transfer { order: Box::new(order) })
}

/// What is wrong is told here, where the hook's author sees it.
fn announcement(rest: Vec<String>, dhcp: Announcement) -> Result<crate::control::Request, String> {
    if !rest.is_empty() {
        return Err("dhcp takes no words, only --interface and options".to_owned());
    }
    dhcp.answer()?;
    Ok(crate::control::Request::Dhcp(dhcp))
}

/// `PATH=VALUE` in its parts.
fn pairs(words: &[String]) -> Result<Vec<(String, String)>, String> {
    let pair = |word: &String| {
        let (name, value) = word.split_once('=').ok_or_else(|| format!("`{word}` is not PATH=VALUE"))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    words.iter().map(pair).collect()
}

fn request(verb: &str, rest: Vec<String>) -> Result<crate::control::Request, String> {
    use crate::control::Request;
    let lone =
        |request| if rest.is_empty() { Ok(request) } else { Err(format!("{verb} takes no arguments")) };
    match verb {
        "get" if !rest.is_empty() => Ok(Request::Get { paths: rest }),
        "get" => Err("get needs a path, such as Device.DeviceInfo.".to_owned()),
        "set" if !rest.is_empty() => Ok(Request::Set { values: pairs(&rest)? }),
        "set" => Err("set needs PATH=VALUE".to_owned()),
        "add" | "del" => match <[String; 1]>::try_from(rest) {
            Ok([path]) if verb == "add" => Ok(Request::Add { path }),
            Ok([path]) => Ok(Request::Delete { path }),
            Err(_) => Err(format!("{verb} needs one path that ends with a dot")),
        },
        "reload" => lone(Request::Reload),
        "status" => lone(Request::Status),
        "inform" => lone(Request::Inform),
        "event" => match <[String; 1]>::try_from(rest) {
            Ok([code]) if EventCode::parse(&code).is_vendor() => Ok(Request::Event { code }),
            Ok([code]) => Err(format!("`{code}` is no event of a vendor, such as 'X 00D09E Backup done'")),
            Err(_) => Err("event needs one code, such as 'X 00D09E Backup done'".to_owned()),
        },
        "confirm" => match <[String; 1]>::try_from(rest) {
            Ok([command_key]) => Ok(Request::Confirm { command_key }),
            Err(_) => Err("confirm needs the key that status shows".to_owned()),
        },
        "request-download" => match rest.split_first() {
            Some((file_type, args)) => {
                Ok(Request::WantDownload { file_type: file_type.clone(), args: pairs(args)? })
            }
            None => Err("request-download needs a file type".to_owned()),
        },
        "acs-methods" => lone(Request::AcsMethods),
        "dhcp-options" => Err("dhcp-options takes no arguments".to_owned()),
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
        let socket: PathBuf = CONTROL_SOCKET.into();
        let order = LocalTransfer {
            download: true,
            file_type: "2 Web Content".into(),
            url: "http://x/".into(),
            username: "u".into(),
            password: String::new(),
            target_file_name: "n".into(),
        };
        let words = ["download", "http://x/", "--type", "2 Web Content", "--name", "n", "--username", "u"];
        let request = Request::Transfer { order: Box::new(order) };
        assert_eq!(read(&words), Ok(Command::Ask { socket: socket.clone(), request }));
        let args = vec![("Version".to_owned(), "2".to_owned())];
        let request = Request::WantDownload { file_type: "1 Firmware Upgrade Image".into(), args };
        let words = ["request-download", "1 Firmware Upgrade Image", "Version=2"];
        assert_eq!(read(&words), Ok(Command::Ask { socket, request }));
    }

    #[test]
    fn errors_say_what_is_wrong() {
        assert_eq!(read(&["dance"]), Err("`dance` is no command: try `cwmpd --help`".into()));
        assert_eq!(read(&["set", "Device.A"]), Err("`Device.A` is not PATH=VALUE".into()));
        assert_eq!(read(&["run", "now"]), Err("run takes no arguments".into()));
        assert!(read(&["event", "1 BOOT"]).unwrap_err().starts_with("`1 BOOT` is no event of a vendor"));
        assert!(read(&["event"]).unwrap_err().starts_with("event needs one code"));
        assert!(read(&["download", "http://x/"]).unwrap_err().starts_with("download needs --type"));
        assert_eq!(read(&["upload", "--type", "t"]), Err("upload needs one URL".into()));
        assert!(
            read(&["upload", "--password-file", "/no/such/file"]).unwrap_err().starts_with("/no/such/file: ")
        );
        assert!(read(&["--loud"]).unwrap_err().contains("--loud"));
        assert_eq!(read(&["run", "--force"]), Err("--force belongs to `cwmpd migrate`".into()));
        assert!(read(&["status", "--dry-run"]).unwrap_err().starts_with("--dry-run belongs to"));
    }

    #[cfg(feature = "openwrt")]
    #[test]
    fn a_migration_has_its_own_flags() {
        let migration = crate::migrate::Migration { from: Some("icwmp".into()), dry_run: true, force: true };
        let command = Command::Migrate { config: CONFIG_FOLDER.into(), migration };
        assert_eq!(read(&["migrate", "icwmp", "--dry-run", "--force"]), Ok(command));
        assert!(read(&["migrate", "freecwmp"]).unwrap_err().contains("easycwmp or icwmp"));
    }
}
