//! The backends that this program was built with, and their own sections of the configuration.

use std::{
    path::{Path, PathBuf},
    rc::Rc,
};

use cwmp_platform::{Platform, instances::InstanceNumbers, policy::ImagePolicy};
use cwmp_store::Problem;

use crate::config::{Config, SharedLayers, reader::Reader};

/// A backend, with what is odd in its section.
type Chosen = (Rc<dyn Platform>, Vec<Problem>);

/// Makes the configured backend. `folder` is that of the configuration: a sandbox lies below it. Unknown keys of the
/// backend's section come back as problems.
///
/// # Errors
/// What is wrong with its settings.
pub(crate) fn choose(
    config: &Config,
    layers: &Rc<SharedLayers>,
    numbers: &Rc<InstanceNumbers>,
    folder: &Path,
) -> Result<Chosen, Vec<String>> {
    match config.platform {
        #[cfg(feature = "generic-linux")]
        "generic-linux" => generic_linux::make(config, layers, numbers, folder),
        #[cfg(feature = "openwrt")]
        "openwrt" => openwrt::make(config, layers, numbers, folder),
        other => Err(vec![format!("platform {other} is not part of this program")]),
    }
}

/// Where the user layer is kept, where the platform that the layers below it name has a place of its own for it.
#[cfg(feature = "openwrt")]
pub(crate) fn user_layer(
    files: &std::sync::Arc<dyn cwmp_store::durable::Files>,
    below: &cwmp_store::Layers,
    problems: &mut Vec<Problem>,
) -> Option<(Box<dyn cwmp_store::UserLayer>, cwmp_platform_openwrt::UserConfig)> {
    let named = below.get("cwmpd", "platform").or(crate::config::DEFAULT_PLATFORM);
    (named == Some("openwrt")).then(|| openwrt::user_layer(files, below, problems)).flatten()
}

/// What an image must be: the same three keys in the section of every backend.
///
/// # Errors
/// What is wrong with the keys' files.
fn image_policy(read: &mut Reader<'_>) -> Result<ImagePolicy, String> {
    let files = "absolute paths of files with public keys, separated by commas";
    let keys = read.read("firmware_keys", files, |text| {
        let paths = text.split(',').map(|path| PathBuf::from(path.trim()));
        let paths = paths.filter(|path| !path.as_os_str().is_empty());
        paths.map(|path| path.is_absolute().then_some(path)).collect::<Option<Vec<_>>>()
    });
    let require_signature = read.boolean("firmware_require_signature").unwrap_or(false);
    let forbid_downgrade = read.boolean("firmware_forbid_downgrade").unwrap_or(false);
    ImagePolicy::load(&keys.unwrap_or_default(), require_signature, forbid_downgrade)
}

/// Folders that no upload may take a file from: they hold passwords and keys.
fn private_folders(config: &Config, folder: &Path) -> Vec<PathBuf> {
    let keys = config.tls.client.iter().filter_map(|client| client.key.parent());
    [folder, &config.state_dir].into_iter().chain(keys).map(Path::to_owned).collect()
}

fn absolute(text: &str) -> Option<PathBuf> {
    Some(PathBuf::from(text)).filter(|path| path.is_absolute())
}

#[cfg(feature = "openwrt")]
mod openwrt;
#[cfg(all(test, feature = "openwrt"))]
pub(crate) use openwrt::played;

#[cfg(feature = "generic-linux")]
mod generic_linux {
    use std::{path::Path, rc::Rc};

    use cwmp_core::job::{DownloadType, UploadType};
    use cwmp_platform::instances::InstanceNumbers;
    use cwmp_platform_generic_linux::{FILES, FirmwareBackend, GenericLinux, NamedFile, Options};
    use cwmp_store::{Layers, Problem};

    use super::{Chosen, absolute, image_policy, private_folders};
    use crate::config::{Config, SharedLayers, reader::Reader};

    const COMMAND: &str = "the absolute path of a program and its arguments, separated by blanks";
    const COMMANDS: &str =
        "at most 16 commands, separated by commas, each the absolute path of a program and its arguments";
    const NAMED: &str =
        "at most 16 files as NAME=/PATH, separated by commas; a name has at most 64 characters";
    /// Most words of a command.
    const WORDS: usize = 32;
    /// Most commands of a list.
    const LIST: usize = 16;
    /// Longest name of a file, in characters (VendorLogFile.Name).
    const NAME_CHARS: usize = 64;
    /// Largest firmware_free_memory, in KiB.
    const FREE_MEMORY: u32 = 16 * 1024 * 1024;
    /// Keys are file types as on the wire, values the commands that take such a file.
    const DOWNLOADS: &str = "generic-linux.download";
    /// The same for uploads.
    const UPLOADS: &str = "generic-linux.upload";

    pub(super) fn make(
        config: &Config,
        layers: &Rc<SharedLayers>,
        numbers: &Rc<InstanceNumbers>,
        folder: &Path,
    ) -> Result<Chosen, Vec<String>> {
        let sandbox = config.sandbox.then(|| folder.join("box"));
        let (options, unknown) = {
            let layers = layers.borrow();
            let mut read = Reader::new(&layers, "generic-linux");
            let image_policy = image_policy(&mut read);
            let options = Options {
                sandbox,
                reboot_command: read.read("reboot_command", COMMAND, command),
                factory_reset_command: read.read("factory_reset_command", COMMAND, command),
                factory_reset_restarts: read.boolean("factory_reset_restarts").unwrap_or(false),
                dhcp_renew_command: read.read("dhcp_renew_command", COMMAND, command),
                firmware_command: read.read("firmware_command", COMMAND, command),
                firmware_backend: read
                    .read("firmware_backend", "hook, rauc or swupdate", backend)
                    .unwrap_or_default(),
                firmware_check_command: read.read("firmware_check_command", COMMAND, command),
                firmware_mark_command: read.read("firmware_mark_command", COMMAND, command),
                firmware_state_command: read.read("firmware_state_command", COMMAND, command),
                firmware_confirm_command: read.read("firmware_confirm_command", COMMAND, command),
                firmware_stop_services: read
                    .read("firmware_stop_services", COMMANDS, services)
                    .unwrap_or_default(),
                firmware_free_memory: read
                    .unsigned("firmware_free_memory", 0..=FREE_MEMORY)
                    .unwrap_or(Options::default().firmware_free_memory),
                rauc_command: read
                    .read("rauc_command", COMMAND, command)
                    .unwrap_or(Options::default().rauc_command),
                download_folder: Some(config.download_dir.clone()),
                backup_folder: Some(config.state_dir.join("backup")),
                private_folders: private_folders(config, folder),
                config_files: read.read("config_files", NAMED, named_files).unwrap_or_default(),
                log_files: read.read("log_files", NAMED, named_files).unwrap_or_default(),
                log_command: read.read("log_command", COMMAND, command),
                firmware_restarts: read.boolean("firmware_restarts").unwrap_or(false),
                config_load_command: read.read("config_load_command", COMMAND, command),
                config_load_needs_restart: read.boolean("config_load_needs_restart").unwrap_or(false),
                config_save_command: read.read("config_save_command", COMMAND, command),
                clock_marker: read.read("clock_marker", "an absolute path", absolute),
                trust_clock: read.boolean("trust_clock").unwrap_or(false),
                ..Options::default()
            };
            let unknown = read.unknown();
            let mut wrong: Vec<String> = read.problems().iter().map(ToString::to_string).collect();
            let mut options = options;
            match image_policy {
                Ok(policy) => options.image_policy = policy,
                Err(error) => wrong.push(format!("[generic-linux] {error}")),
            }
            match (hooks(&layers, DOWNLOADS, download), hooks(&layers, UPLOADS, upload)) {
                (Ok(downloads), Ok(uploads)) => {
                    options.download_hooks = downloads;
                    options.upload_hooks = uploads;
                }
                (downloads, uploads) => {
                    let problems = downloads.err().into_iter().chain(uploads.err()).flatten();
                    wrong.extend(problems.map(|problem| problem.to_string()));
                }
            }
            if !wrong.is_empty() {
                return Err(wrong);
            }
            (options, unknown)
        };
        let platform = GenericLinux::new(options, Rc::clone(layers) as _, Rc::clone(numbers));
        Ok((Rc::new(platform), unknown))
    }

    /// The words of a command; there is no quoting, as there is no shell.
    fn command(text: &str) -> Option<Vec<String>> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let fits = words.len() <= WORDS && words.first().is_some_and(|program| program.starts_with('/'));
        fits.then_some(words)
    }

    fn backend(text: &str) -> Option<FirmwareBackend> {
        match text {
            "hook" => Some(FirmwareBackend::Hook),
            "rauc" => Some(FirmwareBackend::Rauc),
            "swupdate" => Some(FirmwareBackend::Swupdate),
            _ => None,
        }
    }

    /// Commands with `{action}`: without it stopping and starting would be the same.
    fn services(text: &str) -> Option<Vec<Vec<String>>> {
        let list: Option<Vec<Vec<String>>> = list(text).map(command).collect();
        let has_action = |words: &Vec<String>| words.iter().skip(1).any(|word| word.contains("{action}"));
        list.filter(|list| list.len() <= LIST && list.iter().all(has_action))
    }

    fn named_files(text: &str) -> Option<Vec<NamedFile>> {
        let file = |text: &str| {
            let (name, path) = text.split_once('=')?;
            let (name, path) = (name.trim(), absolute(path.trim())?);
            let fits = (1..=NAME_CHARS).contains(&name.chars().count()) && !name.contains(char::is_control);
            fits.then(|| NamedFile { name: name.to_owned(), path })
        };
        let list: Option<Vec<NamedFile>> = list(text).map(file).collect();
        list.filter(|list| list.len() <= FILES)
    }

    /// What stands between commas; nothing at all is an empty list.
    fn list(text: &str) -> impl Iterator<Item = &str> {
        let parts = text.split(',').map(str::trim);
        parts.filter(move |_| !text.trim().is_empty())
    }

    /// Types that a hook can take: firmware and configuration have commands of their own.
    fn download(text: &str) -> Option<DownloadType> {
        DownloadType::parse(text)
            .filter(|known| !matches!(known, DownloadType::Firmware | DownloadType::Configuration))
    }

    fn upload(text: &str) -> Option<UploadType> {
        UploadType::parse(text).filter(|known| matches!(known, UploadType::Vendor(_)))
    }

    /// The commands of a section whose keys are file types.
    fn hooks<T>(
        layers: &Layers,
        section: &'static str,
        file_type: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<(T, Vec<String>)>, Vec<Problem>> {
        let (mut hooks, mut wrong) = (Vec::new(), Vec::new());
        for (key, layer) in layers.keys(section) {
            let value = layers.get(section, key).unwrap_or_default();
            let mut problem =
                |text: String| wrong.push(Problem::key(&layers.file(layer), section, key, text));
            match (file_type(key), command(value)) {
                (None, _) => problem("no file type that a command of this section can serve".to_owned()),
                (_, None) => problem(format!("must be {COMMAND}")),
                _ if hooks.len() >= LIST => problem(format!("at most {LIST} file types are taken")),
                (Some(file_type), Some(command)) => hooks.push((file_type, command)),
            }
        }
        if wrong.is_empty() { Ok(hooks) } else { Err(wrong) }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_command_is_a_list_of_words_and_never_a_shell_line() {
            let words = command("/usr/bin/flash  --image {file} ;reboot").unwrap();
            assert_eq!(words, ["/usr/bin/flash", "--image", "{file}", ";reboot"]);
            assert_eq!(command("flash {file}"), None);
            assert_eq!(command(""), None);
        }

        #[test]
        fn lists_are_taken_whole_or_not_at_all() {
            let two = services("/etc/init.d/samba {action}, /usr/bin/systemctl {action} dlna").unwrap();
            assert_eq!(two[1], ["/usr/bin/systemctl", "{action}", "dlna"]);
            assert_eq!(services("/etc/init.d/samba {action}, /etc/init.d/dlna stop"), None);
            assert_eq!(services(""), Some(Vec::new()));
            let files = named_files("system=/var/log/messages, a b = /var/log/b").unwrap();
            assert_eq!((files[1].name.as_str(), files[1].path.as_path()), ("a b", Path::new("/var/log/b")));
            for wrong in ["/var/log/messages", "=/x", "a=x", "a=/x,", &"a=/x,".repeat(17)] {
                assert_eq!(named_files(wrong), None, "{wrong}");
            }
        }

        #[test]
        fn a_hook_serves_the_types_that_have_no_command_of_their_own() {
            let folder = tempfile::tempdir().unwrap();
            let load = |text: &str| {
                std::fs::write(folder.path().join("factory.ini"), text).unwrap();
                Layers::load(cwmp_store::durable::RealFiles::shared(), folder.path()).unwrap().0
            };
            let layers = load(
                "[generic-linux.download]\n2 Web Content = /bin/web {file} {name}\nX 00D09E Voice = /bin/voice {file}\n",
            );
            let taken = hooks(&layers, DOWNLOADS, download).unwrap();
            assert_eq!(taken[0], (DownloadType::WebContent, command("/bin/web {file} {name}").unwrap()));
            assert_eq!(taken[1].0, DownloadType::Vendor("X 00D09E Voice".to_owned()));
            for wrong in
                ["1 Firmware Upgrade Image = /bin/x {file}", "Web = /bin/x {file}", "2 Web Content = x"]
            {
                let layers = load(&format!("[generic-linux.download]\n{wrong}\n"));
                let problems = hooks(&layers, DOWNLOADS, download).unwrap_err();
                assert!(problems[0].to_string().contains("factory.ini"), "{problems:?}");
            }
        }
    }
}
