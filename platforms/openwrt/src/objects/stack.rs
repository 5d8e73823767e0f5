//! Device.InterfaceStack: which row lies on which. The aliases of the two rows are the tree's own and are left out.

use async_trait::async_trait;
use cwmp_platform::source::{Access::ReadOnly, ObjectKind, ParameterSink, SourceError, Wanted};

use super::wifi;
use crate::{limits, part::Part, survey::Survey};

/// Path of the table.
const STACK: &str = "Device.InterfaceStack.";

pub(crate) struct Stack;

#[async_trait(?Send)]
impl Part for Stack {
    fn objects(&self) -> &'static [&'static str] {
        &["Device.InterfaceStack.{i}."]
    }

    async fn read(
        &self,
        survey: &Survey,
        _: &Wanted<'_>,
        out: &mut dyn ParameterSink,
    ) -> Result<(), SourceError> {
        let (network, layout) = (survey.network().await?, survey.layout().await?);
        let of_ip = network.interfaces().iter().filter_map(|interface| {
            Some((interface.path.clone(), layout.below_interface(&network, interface)?))
        });
        let others =
            layout.rows().flat_map(|row| row.lower.iter().map(|lower| (row.path.clone(), lower.clone())));
        let wireless = wifi::layers(survey).await?;
        let pairs: Vec<(String, String)> =
            of_ip.chain(others).chain(wireless).take(2 * limits::ROWS).collect();
        let keys: Vec<String> = pairs.iter().map(|(higher, lower)| format!("{higher} {lower}")).collect();
        let numbers = survey.numbers(STACK, keys.iter().map(String::as_str));
        out.object(STACK, ObjectKind::Table { addable: false });
        for ((higher, lower), number) in pairs.iter().zip(numbers) {
            let Some(number) = number else { continue };
            out.object(&format!("{STACK}{number}."), ObjectKind::Instance { deletable: false });
            out.parameter("HigherLayer", higher, ReadOnly);
            out.parameter("LowerLayer", lower, ReadOnly);
        }
        Ok(())
    }
}
