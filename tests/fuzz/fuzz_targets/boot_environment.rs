//! Whatever a boot loader's environment, its configuration or the file system around it holds, it is read or refused,
//! and what is written back is read the same.
#![no_main]

use std::cell::RefCell;
use std::io;

use greengrass::boot::state::backend::Map;
use greengrass::boot::state::medium::Medium;
use greengrass::boot::state::uboot::{Copy, Form};
use greengrass::boot::state::{fat, grubenv, uboot};

struct Bytes(RefCell<Vec<u8>>);

impl Medium for Bytes {
    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(at).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = at.checked_add(into.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        into.copy_from_slice(self.0.borrow().get(at..end).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&self, at: u64, sectors: &[u8]) -> io::Result<()> {
        let at = usize::try_from(at).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = at.checked_add(sectors.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut bytes = self.0.borrow_mut();
        bytes.get_mut(at..end).ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(sectors);
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let mut block = [b'#'; grubenv::SIZE];
    let header = b"# GRUB Environment Block\n";
    block[..header.len()].copy_from_slice(header);
    let length = input.len().min(block.len() - header.len());
    block[header.len()..header.len() + length].copy_from_slice(&input[..length]);
    if let Ok(variables) = grubenv::decode(&block) {
        let _ = grubenv::encode(&variables);
    }
    for form in [Form::Single, Form::Redundant] {
        let _ = uboot::decode(input, form);
        // Made right, so that the variables are reached.
        if let Ok(empty) = uboot::encode(&Copy { flag: 1, variables: Default::default() }, 512, form) {
            let mut bytes = empty;
            let length = input.len().min(500);
            bytes[8..8 + length].copy_from_slice(&input[..length]);
            let skip = if form == Form::Single { 4 } else { 5 };
            let fits = crc32(&bytes[skip..]).to_le_bytes();
            bytes[..4].copy_from_slice(&fits);
            if let Ok(copy) = uboot::decode(&bytes, form) {
                let _ = uboot::encode(&copy, 4096, form);
            }
        }
    }
    if let Ok(text) = std::str::from_utf8(input) {
        let _ = uboot::parse_config(text);
        let _ = Map::parse(text);
    }
    let disk = Bytes(RefCell::new(input.to_vec()));
    let _ = fat::locate(&disk, "gg/grubenv", 1024);
    for path in ["gg/grubenv", "grubenv"] {
        if let Ok(at) = fat::make(&disk, path, &block) {
            // One that takes directory and blocks for the same place may have it lie anywhere, or nowhere.
            let _ = fat::locate(&disk, path, 1024).map(|found| found == at);
        }
    }
});

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc: u32, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
