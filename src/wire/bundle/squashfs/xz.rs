//! An xz stream of one block with LZMA2, as squashfs has them; [`super::super::xz_stream`] reads longer ones.
//!
//! What is unpacked is the dictionary itself, so nothing is kept but the model. Filters for machine code (BCJ) are
//! refused: mksquashfs uses them only when asked to with `-Xbcj`.
//!
//! Sources: *The .xz File Format* 1.2.1 and the LZMA specification of the LZMA SDK.

/// Bits of a probability.
const BITS: u32 = 11;
/// A probability of one half.
const HALF: u16 = 1 << (BITS - 1);
/// How fast a probability learns.
const LEARN: u32 = 5;
/// Below this the range takes another byte.
const TOP: u32 = 1 << 24;
/// Contexts of literals that LZMA2 allows: `lc + lp <= 4`.
const LITERALS: usize = 0x300 << 4;
const STATES: usize = 12;
const POSITIONS: usize = 16;
/// The shortest match.
const MIN_MATCH: usize = 2;

/// The model, kept from one block to the next to save its memory.
#[derive(Debug)]
pub struct Decoder {
    model: Box<Model>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug)]
struct Model {
    literals: [u16; LITERALS],
    is_match: [[u16; POSITIONS]; STATES],
    is_repeat: [u16; STATES],
    is_repeat0: [u16; STATES],
    is_repeat1: [u16; STATES],
    is_repeat2: [u16; STATES],
    is_long_repeat0: [[u16; POSITIONS]; STATES],
    slots: [[u16; 64]; 4],
    special: [u16; 128],
    align: [u16; 16],
    match_length: Length,
    repeat_length: Length,
    state: usize,
    repeats: [u32; 4],
    literal_context: u32,
    literal_mask: usize,
    position_mask: usize,
}

#[derive(Debug)]
struct Length {
    choice: [u16; 2],
    low: [[u16; 8]; POSITIONS],
    middle: [[u16; 8]; POSITIONS],
    high: [u16; 256],
}

impl Length {
    const fn new() -> Self {
        Self { choice: [HALF; 2], low: [[HALF; 8]; POSITIONS], middle: [[HALF; 8]; POSITIONS], high: [HALF; 256] }
    }
}

impl Model {
    fn new() -> Self {
        Self {
            literals: [HALF; LITERALS],
            is_match: [[HALF; POSITIONS]; STATES],
            is_repeat: [HALF; STATES],
            is_repeat0: [HALF; STATES],
            is_repeat1: [HALF; STATES],
            is_repeat2: [HALF; STATES],
            is_long_repeat0: [[HALF; POSITIONS]; STATES],
            slots: [[HALF; 64]; 4],
            special: [HALF; 128],
            align: [HALF; 16],
            match_length: Length::new(),
            repeat_length: Length::new(),
            state: 0,
            repeats: [0; 4],
            literal_context: 3,
            literal_mask: 0,
            position_mask: 3,
        }
    }

    /// Forgets what it learnt, and keeps how it looks at things.
    fn reset(&mut self) {
        let kept = (self.literal_context, self.literal_mask, self.position_mask);
        *self = Self::new();
        (self.literal_context, self.literal_mask, self.position_mask) = kept;
    }

    fn properties(&mut self, byte: u8) -> Result<(), XzError> {
        let (literal, rest) = (byte % 9, byte / 9);
        let (position_literal, position) = (rest % 5, rest / 5);
        if position > 4 || literal + position_literal > 4 {
            return Err(XzError::Properties);
        }
        self.literal_context = literal.into();
        self.literal_mask = (1 << position_literal) - 1;
        self.position_mask = (1 << position) - 1;
        Ok(())
    }
}

/// The range decoder over one chunk.
struct Range<'a> {
    input: &'a [u8],
    range: u32,
    code: u32,
}

impl<'a> Range<'a> {
    fn new(input: &'a [u8]) -> Result<Self, XzError> {
        let (first, rest) = input.split_first_chunk::<5>().ok_or(XzError::Truncated)?;
        let [0, code @ ..] = first else { return Err(XzError::Chunk) };
        Ok(Self { input: rest, range: u32::MAX, code: u32::from_be_bytes(*code) })
    }

    #[inline(always)]
    fn normalize(&mut self) -> Result<(), XzError> {
        if self.range < TOP {
            let (&byte, rest) = self.input.split_first().ok_or(XzError::Truncated)?;
            self.input = rest;
            self.range <<= 8;
            self.code = self.code << 8 | u32::from(byte);
        }
        Ok(())
    }

    #[inline(always)]
    fn bit(&mut self, probability: &mut u16) -> Result<usize, XzError> {
        self.normalize()?;
        let bound = (self.range >> BITS) * u32::from(*probability);
        if self.code < bound {
            self.range = bound;
            *probability += ((1 << BITS) - *probability) >> LEARN;
            Ok(0)
        } else {
            self.range -= bound;
            self.code -= bound;
            *probability -= *probability >> LEARN;
            Ok(1)
        }
    }

    #[inline(always)]
    fn tree(&mut self, probabilities: &mut [u16], bits: u32) -> Result<usize, XzError> {
        let mut symbol = 1;
        for _ in 0..bits {
            symbol = symbol << 1 | self.bit(&mut probabilities[symbol])?;
        }
        Ok(symbol - (1 << bits))
    }

    fn reverse_tree(&mut self, probabilities: &mut [u16], bits: u32) -> Result<u32, XzError> {
        let mut symbol = 1;
        let mut value = 0;
        for index in 0..bits {
            let bit = self.bit(&mut probabilities[symbol])?;
            symbol = symbol << 1 | bit;
            value |= u32::from(bit == 1) << index;
        }
        Ok(value)
    }

    fn direct(&mut self, bits: u32) -> Result<u32, XzError> {
        let mut value = 0;
        for _ in 0..bits {
            self.normalize()?;
            self.range >>= 1;
            let bit = self.code >= self.range;
            if bit {
                self.code -= self.range;
            }
            value = value << 1 | u32::from(bit);
        }
        Ok(value)
    }

    fn length(&mut self, length: &mut Length, position: usize) -> Result<usize, XzError> {
        let found = if self.bit(&mut length.choice[0])? == 0 {
            self.tree(&mut length.low[position], 3)?
        } else if self.bit(&mut length.choice[1])? == 0 {
            8 + self.tree(&mut length.middle[position], 3)?
        } else {
            16 + self.tree(&mut length.high, 8)?
        };
        Ok(found + MIN_MATCH)
    }
}

impl Decoder {
    pub fn new() -> Self {
        Self { model: Box::new(Model::new()) }
    }

    /// Unpacks one stream. Returns how many bytes of `output` it filled.
    pub fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, XzError> {
        let (header, rest) = input.split_first_chunk::<STREAM_HEADER>().ok_or(XzError::Truncated)?;
        let check = stream_header(header)?;
        // Of SHA-256 and others that squashfs does not have.
        let crc_size = check_size(check);
        if crc_size > 8 {
            return Err(XzError::Header);
        }
        let (&size, _) = rest.split_first().ok_or(XzError::Truncated)?;
        let (header, rest) = rest.split_at_checked(block_header_size(size)).ok_or(XzError::Truncated)?;
        block_header(header)?;
        let (filled, rest) = self.chunks(rest, output)?;
        let padding = (input.len() - rest.len()).wrapping_neg() % 4;
        let (padding, rest) = rest.split_at_checked(padding).ok_or(XzError::Truncated)?;
        let (crc, _index) = rest.split_at_checked(crc_size).ok_or(XzError::Truncated)?;
        // CRC64 is not worth its table: each byte was verified before.
        let is_wrong = check == 1 && crc32fast::hash(&output[..filled]).to_le_bytes() != crc;
        if is_wrong || padding.iter().any(|byte| *byte != 0) {
            return Err(XzError::Checksum);
        }
        Ok(filled)
    }

    fn chunks<'a>(&mut self, mut input: &'a [u8], output: &mut [u8]) -> Result<(usize, &'a [u8]), XzError> {
        let mut filled = 0;
        let mut needs = Needs::default();
        loop {
            let (&control, rest) = input.split_first().ok_or(XzError::Truncated)?;
            // One block, one dictionary.
            if filled > 0 && starts_dictionary(control) {
                return Err(XzError::Chunk);
            }
            let (head, rest) = rest.split_at_checked(chunk_head_size(control)).ok_or(XzError::Truncated)?;
            let Some(chunk) = self.begin(control, head, &mut needs)? else { return Ok((filled, rest)) };
            let (bytes, rest) = rest.split_at_checked(chunk.stored).ok_or(XzError::Truncated)?;
            input = rest;
            let end = filled + chunk.unpacked;
            let room = output.get_mut(..end).ok_or(XzError::TooLarge)?;
            self.chunk(&chunk, bytes, room, filled)?;
            filled = end;
        }
    }

    /// Reads what is before the bytes of a chunk, and makes the model ready for it; none at the end of a block.
    pub fn begin(&mut self, control: u8, head: &[u8], needs: &mut Needs) -> Result<Option<Chunk>, XzError> {
        if control == 0 {
            return Ok(None);
        }
        if starts_dictionary(control) {
            *needs = Needs { dictionary: false, properties: true };
        } else if needs.dictionary {
            return Err(XzError::Chunk);
        }
        let number = |at: usize| head.get(at..at + 2).map(|two| usize::from(two[0]) << 8 | usize::from(two[1]));
        let first = number(0).ok_or(XzError::Truncated)? + 1;
        if control < 0x80 {
            let known = control <= 2;
            return known
                .then_some(Some(Chunk { unpacked: first, stored: first, is_packed: false }))
                .ok_or(XzError::Chunk);
        }
        let unpacked = (usize::from(control & 0x1f) << 16) + first;
        let stored = number(2).ok_or(XzError::Truncated)? + 1;
        if control >= 0xc0 {
            self.model.reset();
            self.model.properties(*head.get(4).ok_or(XzError::Truncated)?)?;
            needs.properties = false;
        } else if needs.properties {
            return Err(XzError::Chunk);
        } else if control >= 0xa0 {
            self.model.reset();
        }
        Ok(Some(Chunk { unpacked, stored, is_packed: true }))
    }

    /// Unpacks the bytes of one chunk into `output` from `at` to its end; what is before is the dictionary. Its beginning
    /// is a multiple of 16 bytes from that of the block, if anything was cut off there.
    pub fn chunk(&mut self, chunk: &Chunk, bytes: &[u8], output: &mut [u8], at: usize) -> Result<(), XzError> {
        if chunk.is_packed {
            return self.packed(bytes, output, at);
        }
        output.get_mut(at..).filter(|room| room.len() == bytes.len()).ok_or(XzError::TooLarge)?.copy_from_slice(bytes);
        Ok(())
    }

    /// Unpacks one chunk of LZMA into `output` from `at` to its end.
    fn packed(&mut self, input: &[u8], output: &mut [u8], mut at: usize) -> Result<(), XzError> {
        let model = &mut *self.model;
        let mut range = Range::new(input)?;
        while at < output.len() {
            let position = at & model.position_mask;
            if range.bit(&mut model.is_match[model.state][position])? == 0 {
                output[at] = literal(model, &mut range, output, at)?;
                at += 1;
                continue;
            }
            let length;
            if range.bit(&mut model.is_repeat[model.state])? == 0 {
                length = range.length(&mut model.match_length, position)?;
                let distance = distance(model, &mut range, length)?;
                let [a, b, c, _] = model.repeats;
                model.repeats = [distance, a, b, c];
                model.state = if model.state < 7 { 7 } else { 10 };
            } else {
                let [a, b, c, d] = model.repeats;
                if range.bit(&mut model.is_repeat0[model.state])? == 0 {
                    if range.bit(&mut model.is_long_repeat0[model.state][position])? == 0 {
                        model.state = if model.state < 7 { 9 } else { 11 };
                        copy(output, at, a, 1)?;
                        at += 1;
                        continue;
                    }
                } else if range.bit(&mut model.is_repeat1[model.state])? == 0 {
                    model.repeats = [b, a, c, d];
                } else if range.bit(&mut model.is_repeat2[model.state])? == 0 {
                    model.repeats = [c, a, b, d];
                } else {
                    model.repeats = [d, a, b, c];
                }
                length = range.length(&mut model.repeat_length, position)?;
                model.state = if model.state < 7 { 8 } else { 11 };
            }
            copy(output, at, model.repeats[0], length)?;
            at += length;
        }
        range.normalize()?;
        if range.code == 0 && range.input.is_empty() { Ok(()) } else { Err(XzError::Chunk) }
    }
}

/// What a block has to say before its bytes mean anything.
#[derive(Debug)]
pub struct Needs {
    dictionary: bool,
    properties: bool,
}

impl Default for Needs {
    fn default() -> Self {
        Self { dictionary: true, properties: true }
    }
}

/// One chunk of a block: at most 64 KiB that become at most 2 MiB.
#[derive(Debug)]
pub struct Chunk {
    pub unpacked: usize,
    pub stored: usize,
    is_packed: bool,
}

/// Whether what came before a chunk is forgotten.
pub fn starts_dictionary(control: u8) -> bool {
    matches!(control, 1 | 0xe0..)
}

/// Bytes between the control byte of a chunk and its own.
pub fn chunk_head_size(control: u8) -> usize {
    match control {
        0 => 0,
        1..0x80 => 2,
        0x80..0xc0 => 4,
        0xc0.. => 5,
    }
}

#[inline(always)]
fn literal(model: &mut Model, range: &mut Range<'_>, output: &[u8], at: usize) -> Result<u8, XzError> {
    let before = if at == 0 { 0 } else { usize::from(output[at - 1]) };
    let context = (at & model.literal_mask) << model.literal_context | before >> (8 - model.literal_context);
    let probabilities = &mut model.literals[context * 0x300..][..0x300];
    let mut symbol = 1;
    if model.state >= 7 {
        let from = back(at, model.repeats[0])?;
        let mut matched = usize::from(output[from]);
        while symbol < 0x100 {
            let expected = matched >> 7 & 1;
            matched <<= 1;
            let bit = range.bit(&mut probabilities[(1 + expected) << 8 | symbol])?;
            symbol = symbol << 1 | bit;
            if bit != expected {
                break;
            }
        }
    }
    while symbol < 0x100 {
        symbol = symbol << 1 | range.bit(&mut probabilities[symbol])?;
    }
    model.state = match model.state {
        0..4 => 0,
        state @ 4..10 => state - 3,
        state => state - 6,
    };
    Ok(symbol.to_le_bytes()[0])
}

fn distance(model: &mut Model, range: &mut Range<'_>, length: usize) -> Result<u32, XzError> {
    let slots = &mut model.slots[(length - MIN_MATCH).min(3)];
    let slot = u32::try_from(range.tree(slots, 6)?).unwrap_or(0);
    if slot < 4 {
        return Ok(slot);
    }
    let bits = (slot >> 1) - 1;
    let base = (2 | slot & 1) << bits;
    if slot < 14 {
        // The trees for the slots lie one behind the other.
        let from = usize::try_from(base - slot).unwrap_or(0);
        Ok(base + range.reverse_tree(&mut model.special[from..], bits)?)
    } else {
        let high = range.direct(bits - 4)? << 4;
        Ok(base.wrapping_add(high).wrapping_add(range.reverse_tree(&mut model.align, 4)?))
    }
}

/// Where `distance` leads back to.
fn back(at: usize, distance: u32) -> Result<usize, XzError> {
    usize::try_from(distance).ok().and_then(|distance| at.checked_sub(distance + 1)).ok_or(XzError::Distance)
}

#[inline(always)]
fn copy(output: &mut [u8], at: usize, distance: u32, length: usize) -> Result<(), XzError> {
    let from = back(at, distance)?;
    if at + length > output.len() {
        return Err(XzError::TooLarge);
    }
    if from + length <= at {
        output.copy_within(from..from + length, at);
    } else {
        for index in 0..length {
            output[at + index] = output[from + index];
        }
    }
    Ok(())
}

/// Bytes before the first block of a stream, and behind its index.
pub const STREAM_HEADER: usize = 12;

/// Which check each block has behind it.
pub fn stream_header(header: &[u8; STREAM_HEADER]) -> Result<u8, XzError> {
    let [0xfd, b'7', b'z', b'X', b'Z', 0, 0, check @ 0..16, crc @ ..] = header else { return Err(XzError::Header) };
    let is_right = crc32fast::hash(&header[6..8]).to_le_bytes() == *crc;
    is_right.then_some(*check).ok_or(XzError::Header)
}

/// Bytes of a check: none, CRC32 (1), CRC64 (4), SHA-256 (10).
pub fn check_size(check: u8) -> usize {
    if check == 0 { 0 } else { 4 << ((check - 1) / 3) }
}

/// Bytes of a block's header, by its first one.
pub fn block_header_size(first: u8) -> usize {
    (usize::from(first) + 1) * 4
}

/// Reads the header of a block: one filter, which is LZMA2. Returns how far it looks back, in bytes.
pub fn block_header(header: &[u8]) -> Result<u64, XzError> {
    let (body, crc) = header.split_last_chunk::<4>().ok_or(XzError::Header)?;
    if body.len() < 4 || crc32fast::hash(body).to_le_bytes() != *crc {
        return Err(XzError::Header);
    }
    let flags = body[1];
    if flags & 0x3f != 0 {
        return Err(XzError::Filter);
    }
    let mut fields = &body[2..];
    // How large the block is, packed and unpacked: it says so itself.
    for present in [flags & 0x40, flags & 0x80] {
        if present != 0 {
            // Seven bits a byte; the last has no eighth.
            let last = fields.iter().position(|byte| *byte < 0x80).ok_or(XzError::Header)?;
            fields = &fields[last + 1..];
        }
    }
    match fields {
        [0x21, 1, dictionary @ 0..=40, padding @ ..] if padding.iter().all(|byte| *byte == 0) => {
            Ok((2 | u64::from(dictionary & 1)) << (dictionary / 2 + 11))
        }
        _ => Err(XzError::Filter),
    }
}

/// A stream that is not xz, or of a kind that squashfs does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum XzError {
    #[error("it ends too early")]
    Truncated,
    #[error("it has no header of xz")]
    Header,
    #[error("it has a filter other than LZMA2, such as -Xbcj of mksquashfs and --x86 of xz make")]
    Filter,
    #[error("a chunk that cannot be")]
    Chunk,
    #[error("properties that cannot be")]
    Properties,
    #[error("it copies from before its beginning")]
    Distance,
    #[error("it is larger than the room it has")]
    TooLarge,
    #[error("its checksum is wrong")]
    Checksum,
    #[error("it looks back {size} bytes, and {most} are kept; pack it with xz -6 or less")]
    Window { size: u64, most: u64 },
}
