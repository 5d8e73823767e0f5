//! `Device.GatewayInfo.`: the gateway that this box gets its address from (TR-069a6 Annex F), as DHCP has told.

use std::rc::Rc;

use async_trait::async_trait;
use cwmp_platform::source::{Access, ObjectKind, ParameterSink, ParameterSource, SourceError, Wanted};
use cwmp_store::Layer;

use crate::{config::SharedLayers, discovery::GATEWAY};

const OBJECT: &str = "Device.GatewayInfo.";
const PARAMETERS: [&str; 3] = ["ManufacturerOUI", "ProductClass", "SerialNumber"];

/// The source of the object. Nothing in it can be set.
pub(crate) struct GatewayInfo {
    pub(crate) layers: Rc<SharedLayers>,
}

#[async_trait(?Send)]
impl ParameterSource for GatewayInfo {
    fn name(&self) -> &'static str {
        "gateway"
    }

    fn objects(&self) -> &[&'static str] {
        &[OBJECT]
    }

    async fn read(&self, wanted: &Wanted<'_>, out: &mut dyn ParameterSink) -> Result<(), SourceError> {
        if wanted.touches(OBJECT) {
            out.object(OBJECT, ObjectKind::Single);
            let layers = self.layers.borrow();
            for name in PARAMETERS {
                let value = layers.of_layer(Layer::Learnt, GATEWAY, name).unwrap_or_default();
                out.parameter(name, &value, Access::ReadOnly);
            }
        }
        Ok(())
    }
}
