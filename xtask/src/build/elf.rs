//! Reads as much of an ELF file as tells whether it will start on the router that it is meant for.

/// What the headers say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Elf {
    pub(super) bits: u8,
    pub(super) big_endian: bool,
    pub(super) machine: u16,
    /// Loaded at fixed addresses (`ET_EXEC`).
    pub(super) fixed: bool,
    /// Needs neither an interpreter nor shared libraries.
    pub(super) is_static: bool,
    pub(super) flags: u32,
    /// From the MIPS ABI flags, where there are any: level, revision, floating-point kind.
    pub(super) mips: Option<Mips>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mips {
    pub(super) level: u8,
    pub(super) revision: u8,
    pub(super) fp: u8,
}

const ET_EXEC: u16 = 2;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const PT_MIPS_ABIFLAGS: u32 = 0x7000_0003;
const EM_MIPS: u16 = 8;
/// `e_flags`: which MIPS ABI (o32) and which instruction set (MIPS32 release 2).
const MIPS_ABI: u32 = 0x0000_f000;
const MIPS_ABI_O32: u32 = 0x0000_1000;
const MIPS_ARCH: u32 = 0xf000_0000;
const MIPS_ARCH_32R2: u32 = 0x7000_0000;
/// `fp_abi` of the ABI flags: floating point in software, as the kernels of OpenWrt's MIPS routers expect it.
const MIPS_FP_SOFT: u8 = 3;

/// A view of the file in its own byte order and word size.
struct View<'a> {
    bytes: &'a [u8],
    big_endian: bool,
    wide: bool,
}

impl View<'_> {
    /// An unsigned number of `size` bytes at `offset`.
    fn number(&self, offset: u64, size: usize) -> Option<u64> {
        let start = usize::try_from(offset).ok()?;
        let field = self.bytes.get(start..start.checked_add(size)?)?;
        let add = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
        Some(if self.big_endian { field.iter().fold(0, add) } else { field.iter().rev().fold(0, add) })
    }

    fn byte(&self, offset: u64) -> Option<u8> {
        u8::try_from(self.number(offset, 1)?).ok()
    }

    fn half(&self, offset: u64) -> Option<u16> {
        u16::try_from(self.number(offset, 2)?).ok()
    }

    fn word(&self, offset: u64) -> Option<u32> {
        u32::try_from(self.number(offset, 4)?).ok()
    }

    /// An address-sized field, at one place in 32-bit files and at another in 64-bit files.
    fn address(&self, narrow: u64, wide: u64) -> Option<u64> {
        if self.wide { self.number(wide, 8) } else { self.number(narrow, 4) }
    }

    fn pick(&self, narrow: u64, wide: u64) -> u64 {
        if self.wide { wide } else { narrow }
    }
}

/// `None`: not an ELF file, or cut short.
pub(super) fn parse(bytes: &[u8]) -> Option<Elf> {
    if !bytes.starts_with(b"\x7fELF") {
        return None;
    }
    let (class, order) = (*bytes.get(4)?, *bytes.get(5)?);
    let view = View { bytes, big_endian: order == 2, wide: class == 2 };
    let headers = view.address(28, 32)?;
    let size = u64::from(view.half(view.pick(42, 54))?);
    let count = u64::from(view.half(view.pick(44, 56))?);
    let (mut is_static, mut mips) = (true, None);
    for index in 0..count {
        let header = headers.checked_add(index * size)?;
        match view.word(header)? {
            PT_DYNAMIC | PT_INTERP => is_static = false,
            PT_MIPS_ABIFLAGS => {
                let at = view.address(header + 4, header + 8)?;
                let (level, revision) = (view.byte(at + 2)?, view.byte(at + 3)?);
                mips = Some(Mips { level, revision, fp: view.byte(at + 7)? });
            }
            _ => {}
        }
    }
    Some(Elf {
        bits: if view.wide { 64 } else { 32 },
        big_endian: view.big_endian,
        machine: view.half(18)?,
        fixed: view.half(16)? == ET_EXEC,
        is_static,
        flags: view.word(view.pick(36, 48))?,
        mips,
    })
}

/// What a target's triple promises: word size, byte order and machine number. `None`: no promise known here.
fn promised(target: &str) -> Option<(u8, bool, u16)> {
    let (architecture, _) = target.split_once('-')?;
    Some(match architecture {
        "mips" => (32, true, EM_MIPS),
        "mipsel" => (32, false, EM_MIPS),
        "x86_64" => (64, false, 62),
        "i586" | "i686" => (32, false, 3),
        "aarch64" => (64, false, 183),
        "riscv64gc" => (64, false, 243),
        arm if arm.starts_with("arm") => (32, false, 40),
        _ => return None,
    })
}

/// Every way in which the program is not what its target needs. `fixed` asks for a static program at fixed addresses.
pub(super) fn complaints(elf: &Elf, target: &str, fixed: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some((bits, big_endian, machine)) = promised(target) {
        if (elf.bits, elf.big_endian, elf.machine) != (bits, big_endian, machine) {
            wrong.push(format!("built for another machine: {elf:?}"));
        }
    }
    if fixed && !elf.fixed {
        wrong.push("not at fixed addresses (ET_EXEC): a static-pie crashes at its start on MIPS".to_owned());
    }
    if fixed && !elf.is_static {
        wrong.push("not static: it asks for an interpreter or for shared libraries".to_owned());
    }
    if target.starts_with("mips") {
        if elf.flags & MIPS_ABI != MIPS_ABI_O32 || elf.flags & MIPS_ARCH != MIPS_ARCH_32R2 {
            wrong.push(format!("not MIPS32r2 with the o32 ABI: e_flags {:#010x}", elf.flags));
        }
        match &elf.mips {
            Some(Mips { level: 32, revision: 2, fp: MIPS_FP_SOFT }) => {}
            other => wrong.push(format!("not MIPS32r2 with soft float: ABI flags {other:?}")),
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: &str = "mipsel-unknown-linux-musl";

    /// The smallest file that `parse` accepts: a header, one program header and the ABI flags.
    fn mipsel(kind: u16, segment: u32, fp: u8) -> Vec<u8> {
        let mut file = vec![0; 52 + 32 + 24];
        let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, b"\x7fELF\x01\x01\x01");
        put(16, &kind.to_le_bytes());
        put(18, &EM_MIPS.to_le_bytes());
        put(28, &52_u32.to_le_bytes());
        put(36, &(MIPS_ABI_O32 | MIPS_ARCH_32R2).to_le_bytes());
        put(42, &32_u16.to_le_bytes());
        put(44, &1_u16.to_le_bytes());
        put(52, &segment.to_le_bytes());
        put(56, &84_u32.to_le_bytes());
        put(84, &[0, 0, 32, 2, 1, 0, 0, fp]);
        file
    }

    fn wrong(file: &[u8]) -> String {
        complaints(&parse(file).unwrap(), TARGET, true).join("; ")
    }

    #[test]
    fn a_static_soft_float_program_is_right() {
        assert_eq!(wrong(&mipsel(ET_EXEC, PT_MIPS_ABIFLAGS, MIPS_FP_SOFT)), "");
    }

    #[test]
    fn what_would_not_start_on_the_router_is_told() {
        assert!(wrong(&mipsel(3, PT_MIPS_ABIFLAGS, MIPS_FP_SOFT)).contains("static-pie"));
        assert!(wrong(&mipsel(ET_EXEC, PT_MIPS_ABIFLAGS, 1)).contains("soft float"));
        let dynamic = wrong(&mipsel(ET_EXEC, PT_INTERP, MIPS_FP_SOFT));
        assert!(dynamic.contains("not static") && dynamic.contains("soft float"), "{dynamic}");
        let elf = parse(&mipsel(ET_EXEC, PT_MIPS_ABIFLAGS, MIPS_FP_SOFT)).unwrap();
        assert!(complaints(&elf, "mips-unknown-linux-musl", true)[0].contains("another machine"));
    }

    #[test]
    fn this_test_program_is_dynamic_and_for_this_machine() {
        let elf = parse(&std::fs::read(std::env::current_exe().unwrap()).unwrap()).unwrap();
        assert!(!elf.is_static);
        assert_eq!(elf.bits, usize::BITS as u8);
    }

    #[test]
    fn other_and_cut_files_are_not_elf() {
        assert_eq!(parse(b"#!/bin/sh\n"), None);
        let file = mipsel(ET_EXEC, PT_MIPS_ABIFLAGS, MIPS_FP_SOFT);
        for length in 0..90 {
            assert_eq!(parse(&file[..length]), None, "{length}");
        }
    }
}
