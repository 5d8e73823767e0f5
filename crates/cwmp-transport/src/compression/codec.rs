//! The formats gzip (RFC 1952) and zlib (RFC 1950) around miniz_oxide's DEFLATE.
//!
//! miniz_oxide alone adds about half as much to the program as flate2, which brings large tables for CRC-32 (on x86_64 in the
//! profile `small`: 47 KB against 89 KB, all of compression counted).

use bytes::Bytes;
use cwmp_core::{io::NetError, limits::ENVELOPE_BYTES};
use miniz_oxide::{
    deflate::core::{CompressorOxide, TDEFLFlush, compress_to_output, create_comp_flags_from_zip_params},
    inflate::{
        TINFLStatus,
        core::{DecompressorOxide, decompress, inflate_flags},
    },
};

use super::Coding;

/// The processor of a router is slow, and the first level gains most of what there is to gain with XML.
const LEVEL: i32 = 1;
/// Window of 32 KB; the sign says whether the stream has the frame of zlib.
const WINDOW_BITS: i32 = 15;
/// ID, method, no flags, no time, no extra flags, unknown system.
const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// Compresses chunk by chunk.
pub(super) struct Encoder {
    deflate: Box<CompressorOxide>,
    /// Sums of what went in, for the end of gzip; `None` for zlib, whose frame miniz_oxide makes.
    gzip: Option<Sums>,
    /// What comes before the next piece.
    out: Vec<u8>,
}

impl Encoder {
    pub(super) fn new(coding: Coding) -> Self {
        let (window, gzip, out) = match coding {
            Coding::Gzip => (-WINDOW_BITS, Some(Sums::default()), GZIP_HEAD.to_vec()),
            Coding::Deflate => (WINDOW_BITS, None, Vec::new()),
        };
        let flags = create_comp_flags_from_zip_params(LEVEL, window, 0);
        Self { deflate: Box::new(CompressorOxide::new(flags)), gzip, out }
    }

    /// What comes out for this chunk; often nothing.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Bytes {
        if let Some(sums) = &mut self.gzip {
            sums.add(chunk);
        }
        self.run(chunk, TDEFLFlush::None)
    }

    /// What comes out at the end.
    pub(super) fn finish(mut self) -> Bytes {
        let last = self.run(&[], TDEFLFlush::Finish);
        let Some(sums) = self.gzip else { return last };
        [&*last, &sums.crc().to_le_bytes(), &sums.length.to_le_bytes()].concat().into()
    }

    fn run(&mut self, chunk: &[u8], flush: TDEFLFlush) -> Bytes {
        let mut out = std::mem::take(&mut self.out);
        // The callback takes everything, so that the whole chunk goes in and nothing can fail.
        compress_to_output(&mut self.deflate, chunk, flush, |piece| {
            out.extend_from_slice(piece);
            true
        });
        out.into()
    }
}

/// What the end of gzip holds of the plain bytes.
#[derive(Clone, Copy)]
struct Sums {
    /// CRC-32, inverted.
    crc: u32,
    /// Modulo 2^32.
    length: u32,
}

impl Default for Sums {
    fn default() -> Self {
        Self { crc: u32::MAX, length: 0 }
    }
}

/// CRC-32 of the 16 values of half a byte: slower than the usual table of 1 KB, and far faster than the compressor.
#[rustfmt::skip]
const CRC_TABLE: [u32; 16] = [
    0x0000_0000, 0x1db7_1064, 0x3b6e_20c8, 0x26d9_30ac, 0x76dc_4190, 0x6b6b_51f4, 0x4db2_6158, 0x5005_713c,
    0xedb8_8320, 0xf00f_9344, 0xd6d6_a3e8, 0xcb61_b38c, 0x9b64_c2b0, 0x86d3_d2d4, 0xa00a_e278, 0xbdbd_f21c,
];

impl Sums {
    fn add(&mut self, bytes: &[u8]) {
        #[allow(clippy::cast_possible_truncation)]
        let length = bytes.len() as u32;
        self.length = self.length.wrapping_add(length);
        for byte in bytes {
            self.crc ^= u32::from(*byte);
            for _ in 0..2 {
                // Always found: the index has four bits.
                let entry = CRC_TABLE.get((self.crc & 15) as usize).copied().unwrap_or_default();
                self.crc = (self.crc >> 4) ^ entry;
            }
        }
    }

    fn crc(self) -> u32 {
        !self.crc
    }
}

/// The plain bytes.
///
/// # Errors
/// [`NetError::TooLarge`] for more than [`ENVELOPE_BYTES`], [`NetError::Broken`] for what is damaged.
pub(super) fn decode(coding: Coding, bytes: &[u8]) -> Result<Vec<u8>, NetError> {
    let broken = || NetError::Broken(format!("the reply is no valid {}", coding.token()));
    match coding {
        Coding::Gzip => {
            let (plain, end) = inflate(gzip_body(bytes).ok_or_else(broken)?, 0, &broken)?;
            let mut sums = Sums::default();
            sums.add(&plain);
            let expected = [sums.crc().to_le_bytes(), sums.length.to_le_bytes()].concat();
            if end == expected { Ok(plain) } else { Err(broken()) }
        }
        Coding::Deflate => Ok(inflate(bytes, inflate_flags::TINFL_FLAG_PARSE_ZLIB_HEADER, &broken)?.0),
    }
}

/// Inflates into a buffer that grows up to the limit; also returns what follows the stream.
fn inflate<'a>(
    mut bytes: &'a [u8],
    flags: u32,
    broken: &dyn Fn() -> NetError,
) -> Result<(Vec<u8>, &'a [u8]), NetError> {
    let flags = flags | inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let mut inflate = Box::<DecompressorOxide>::default();
    let mut plain = vec![0; bytes.len().saturating_mul(4).clamp(1024, ENVELOPE_BYTES)];
    let mut length = 0;
    loop {
        let (status, taken, made) = decompress(&mut inflate, bytes, &mut plain, length, flags);
        bytes = bytes.get(taken..).unwrap_or_default();
        length += made;
        match status {
            TINFLStatus::Done => {
                plain.truncate(length);
                return Ok((plain, bytes));
            }
            TINFLStatus::HasMoreOutput if plain.len() < ENVELOPE_BYTES => {
                plain.resize(plain.len().saturating_mul(2).min(ENVELOPE_BYTES), 0);
            }
            TINFLStatus::HasMoreOutput => return Err(NetError::TooLarge(ENVELOPE_BYTES)),
            _ => return Err(broken()),
        }
    }
}

/// What follows the head of gzip (RFC 1952 2.3).
fn gzip_body(bytes: &[u8]) -> Option<&[u8]> {
    let (head, mut rest) = bytes.split_first_chunk::<10>()?;
    let [0x1f, 0x8b, 8, flags, ..] = *head else { return None };
    let has = |bit: u8| flags & (1 << bit) != 0;
    if flags & 0xe0 != 0 {
        return None;
    }
    if has(2) {
        let (length, extra) = rest.split_first_chunk::<2>()?;
        rest = extra.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    // File name and comment, each up to a zero.
    for _ in 0..u8::from(has(3)) + u8::from(has(4)) {
        let zero = rest.iter().position(|byte| *byte == 0)?;
        rest = rest.get(zero + 1..)?;
    }
    if has(1) {
        rest = rest.get(2..)?;
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(coding: Coding, text: &[u8]) -> Vec<u8> {
        let mut encoder = Encoder::new(coding);
        let mut out = encoder.push(text).to_vec();
        out.extend_from_slice(&encoder.finish());
        out
    }

    #[test]
    fn crc_32_of_the_check_string() {
        let mut sums = Sums::default();
        sums.add(b"12345");
        sums.add(b"6789");
        assert_eq!((sums.crc(), sums.length), (0xcbf4_3926, 9));
    }

    #[test]
    fn optional_fields_of_a_gzip_head_are_passed_over() {
        let plain = encoded(Coding::Gzip, b"text");
        let mut full = plain.clone();
        full[3] = 0b1_1110;
        let fields: &[&[u8]] = &[&[3, 0], b"abc", b"name\0", b"comment\0", &[1, 2]];
        full.splice(10..10, fields.concat());
        assert_eq!(decode(Coding::Gzip, &full).unwrap(), b"text");
        full[3] |= 0x20;
        assert!(decode(Coding::Gzip, &full).is_err(), "a reserved flag");
        for length in 0..plain.len() {
            assert!(decode(Coding::Gzip, &plain[..length]).is_err(), "{length} bytes");
        }
        assert!(decode(Coding::Gzip, &[plain.as_slice(), b"x"].concat()).is_err(), "something follows");
    }

    #[test]
    fn a_wrong_sum_is_found() {
        for coding in [Coding::Gzip, Coding::Deflate] {
            let good = encoded(coding, b"some text");
            assert_eq!(decode(coding, &good).unwrap(), b"some text");
            for at in good.len() - 4..good.len() {
                let mut bad = good.clone();
                bad[at] ^= 1;
                assert!(decode(coding, &bad).is_err(), "{coding:?} byte {at}");
            }
        }
    }
}
