//! The machine: how long it runs, its processors, its boot.

use cwmp_platform::source::{Access::ReadOnly, ObjectKind, ParameterSink};

use crate::files::{Root, clean};

/// Schema path of the table of processors.
pub const PROCESSOR: &str = "Device.DeviceInfo.Processor.{i}.";
/// Most rows of the Processor table.
const PROCESSORS: u32 = 256;
/// Longest boot id, in characters; the kernel's has 36.
const BOOT_ID_CHARS: usize = 64;

/// Seconds since the boot of the machine.
#[must_use]
pub fn uptime(root: &Root) -> Option<u32> {
    let text = root.text("proc/uptime")?;
    text.split(['.', ' ', '\n']).next()?.parse().ok()
}

/// What the kernel tells boots apart by.
///
/// # Errors
/// A sentence that names the file.
pub fn boot_id(root: &Root) -> Result<String, String> {
    let path = "proc/sys/kernel/random/boot_id";
    let id = root.text(path).map(|id| clean(&id, BOOT_ID_CHARS)).filter(|id| !id.is_empty());
    id.ok_or_else(|| format!("cannot read {}", root.path(path).display()))
}

/// The load of the last minute, in processors.
#[must_use]
pub fn load(root: &Root) -> Option<f32> {
    root.text("proc/loadavg")?.split_ascii_whitespace().next()?.parse().ok()
}

/// One row for each processor that is online; none on an architecture for which the model has no name.
pub fn processors(root: &Root, out: &mut dyn ParameterSink) {
    let online = root.text("sys/devices/system/cpu/online").unwrap_or_default();
    out.object("Device.DeviceInfo.Processor.", ObjectKind::Table { addable: false });
    let Some(architecture) = architecture() else { return };
    for number in ranges(&online) {
        let row = format!("Device.DeviceInfo.Processor.{}.", number + 1);
        out.object(&row, ObjectKind::Instance { deletable: false });
        out.parameter("Architecture", &architecture, ReadOnly);
    }
}

/// The numbers in a list such as `0-3,5`, as far as they are below [`PROCESSORS`] and in order.
fn ranges(list: &str) -> Vec<u32> {
    let mut numbers = Vec::new();
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) {
            let next = numbers.last().map_or(0, |last: &u32| last + 1);
            numbers.extend(first.max(next)..last.saturating_add(1).min(PROCESSORS));
        }
    }
    numbers
}

/// The model has no name for 64-bit ARM: `arm` is the family.
#[must_use]
pub fn architecture() -> Option<&'static str> {
    let big = cfg!(target_endian = "big");
    match std::env::consts::ARCH {
        "x86_64" => Some("x86_64"),
        "x86" => Some("i386"),
        "arm" | "aarch64" => Some("arm"),
        "mips" | "mips64" if big => Some("mipseb"),
        "mips" | "mips64" => Some("mipsel"),
        "powerpc" | "powerpc64" => Some("powerpc"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_lists_of_processors() {
        assert_eq!(ranges("0-3,5\n"), [0, 1, 2, 3, 5]);
        assert_eq!(ranges("0-4294967295").len(), 256);
        assert_eq!(ranges("3,1-4"), [3, 4]);
        assert_eq!(ranges(""), [0; 0]);
        assert_eq!(ranges("x,5-2,-"), [0; 0]);
    }
}
