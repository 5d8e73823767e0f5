//! The layers as this box has them: on OpenWrt the user layer is `/etc/config/cwmpd`, everywhere else `user.ini`.

use std::{path::Path, sync::Arc};

use cwmp_platform::Changes;
use cwmp_store::{Layers, Problem, StoreError, durable::Files};

/// The layers, and what can say when others change them.
pub(crate) struct Opened {
    pub(crate) layers: Layers,
    pub(crate) problems: Vec<Problem>,
    #[cfg(feature = "openwrt")]
    shared: Option<cwmp_platform_openwrt::UserConfig>,
}

impl Opened {
    /// Says from now on when somebody else has changed the user layer; `None` where nobody else does.
    pub(crate) fn watch(&self) -> Option<Box<dyn Changes>> {
        #[cfg(feature = "openwrt")]
        if let Some(shared) = &self.shared {
            let unnoticed = |error: &_| {
                tracing::warn!("changes of the agent's settings by others are not noticed: {error}");
            };
            return shared.watch().inspect_err(unnoticed).ok();
        }
        None
    }
}

/// Reads the layers in this folder.
///
/// # Errors
/// Those of [`Layers::load`].
pub(crate) fn open(files: &Arc<dyn Files>, folder: &Path) -> Result<Opened, StoreError> {
    #[cfg(feature = "openwrt")]
    {
        let mut shared = None;
        let (layers, problems) = Layers::load_with(Arc::clone(files), folder, |below, problems| {
            let Some((place, config)) = crate::platforms::user_layer(files, below, problems) else {
                return Ok(None);
            };
            shared = Some(config);
            Ok(Some(place))
        })?;
        Ok(Opened { layers, problems, shared })
    }
    #[cfg(not(feature = "openwrt"))]
    {
        let (layers, problems) = Layers::load(Arc::clone(files), folder)?;
        Ok(Opened { layers, problems })
    }
}
