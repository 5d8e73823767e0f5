//! The backend for OpenWrt and its section of the configuration.

use std::{
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use cwmp_platform::instances::InstanceNumbers;
use cwmp_platform_openwrt::{OpenWrt, Options, UserConfig};
use cwmp_store::{Layers, Problem, UserLayer, durable::Files};

use super::{Chosen, absolute, image_policy, private_folders};
use crate::config::{Config, SharedLayers, lower_state_dir, reader::Reader};

mod user_layer;

use user_layer::UciLayer;
#[cfg(test)]
pub(crate) use user_layer::played;

/// Largest firmware_free_memory, in KiB.
const FREE_MEMORY: u32 = 16 * 1024 * 1024;
const ABSOLUTE: &str = "an absolute path";

/// `/etc/config/cwmpd` of the box that the layers below the user's describe. Where what is in `user.ini` cannot be taken over
/// into it, that is reported and `user.ini` goes on serving.
pub(super) fn user_layer(
    files: &Arc<dyn Files>,
    below: &Layers,
    problems: &mut Vec<Problem>,
) -> Option<(Box<dyn UserLayer>, UserConfig)> {
    let root = below.get("openwrt", "root").and_then(absolute).unwrap_or(PathBuf::from("/"));
    let config = UserConfig::new(&root);
    let layer = UciLayer::new(config.clone(), files, below.dir(), &lower_state_dir(below));
    layer.in_charge(problems).map(|layer| (Box::new(layer) as _, config))
}

pub(super) fn make(
    config: &Config,
    layers: &Rc<SharedLayers>,
    numbers: &Rc<InstanceNumbers>,
    folder: &Path,
) -> Result<Chosen, Vec<String>> {
    if config.sandbox {
        return Err(vec!["sandbox: platform openwrt has none; try it on generic-linux".to_owned()]);
    }
    let (options, unknown) = {
        let layers = layers.borrow();
        let mut read = Reader::new(&layers, "openwrt");
        let image_policy = image_policy(&mut read);
        let usual = Options::default();
        let mut options = Options {
            root: read.read("root", ABSOLUTE, absolute).unwrap_or(usual.root),
            ubus_sockets: read.read("ubus_socket", ABSOLUTE, absolute).into_iter().collect(),
            download_folder: Some(config.download_dir.clone()),
            state_folder: Some(config.state_dir.clone()),
            // A package is not signed: where images have to be, it would be a way around that.
            packages: read
                .boolean("packages")
                .unwrap_or(!read.boolean("firmware_require_signature").unwrap_or(false)),
            private: private_folders(config, folder),
            firmware_free_memory: read
                .unsigned("firmware_free_memory", 0..=FREE_MEMORY)
                .unwrap_or(usual.firmware_free_memory),
            clock_markers: match read.read("clock_marker", ABSOLUTE, absolute) {
                Some(marker) => vec![marker],
                None => usual.clock_markers,
            },
            trust_clock: read.boolean("trust_clock").unwrap_or(false),
            ..Options::default()
        };
        options.private.push("/etc/config/cwmpd".into());
        let unknown = read.unknown();
        let mut wrong: Vec<String> = read.problems().iter().map(ToString::to_string).collect();
        match image_policy {
            Ok(policy) => options.image_policy = policy,
            Err(error) => wrong.push(format!("[openwrt] {error}")),
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        (options, unknown)
    };
    let platform = OpenWrt::new(options, Rc::clone(layers) as _, Rc::clone(numbers));
    Ok((Rc::new(platform), unknown))
}
