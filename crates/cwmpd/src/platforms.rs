//! The backends that this program was built with, and their own sections of the configuration.

use std::{path::Path, rc::Rc};

use cwmp_platform::{Platform, instances::InstanceNumbers};
use cwmp_store::Problem;

use crate::config::{Config, SharedLayers};

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
        other => Err(vec![format!("platform {other} is not part of this program")]),
    }
}

#[cfg(feature = "generic-linux")]
mod generic_linux {
    use std::{
        path::{Path, PathBuf},
        rc::Rc,
    };

    use cwmp_platform::instances::InstanceNumbers;
    use cwmp_platform_generic_linux::{GenericLinux, Options};

    use super::Chosen;
    use crate::config::{Config, SharedLayers, reader::Reader};

    const COMMAND: &str = "the absolute path of a program and its arguments, separated by blanks";
    /// Most words of a command.
    const WORDS: usize = 32;

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
            let options = Options {
                sandbox,
                reboot_command: read.read("reboot_command", COMMAND, command),
                factory_reset_command: read.read("factory_reset_command", COMMAND, command),
                factory_reset_restarts: read.boolean("factory_reset_restarts").unwrap_or(false),
                firmware_command: read.read("firmware_command", COMMAND, command),
                firmware_restarts: read.boolean("firmware_restarts").unwrap_or(false),
                config_load_command: read.read("config_load_command", COMMAND, command),
                config_load_needs_restart: read.boolean("config_load_needs_restart").unwrap_or(false),
                config_save_command: read.read("config_save_command", COMMAND, command),
                clock_marker: read.read("clock_marker", "an absolute path", absolute),
                trust_clock: read.boolean("trust_clock").unwrap_or(false),
                ..Options::default()
            };
            let unknown = read.unknown();
            let wrong = read.problems();
            if !wrong.is_empty() {
                return Err(wrong.iter().map(ToString::to_string).collect());
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

    fn absolute(text: &str) -> Option<PathBuf> {
        Some(PathBuf::from(text)).filter(|path| path.is_absolute())
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
    }
}
