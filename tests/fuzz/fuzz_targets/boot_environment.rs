//! Whatever a boot loader's environment, its configuration or the file system around it holds, it is read or refused,
//! and what is written back is read the same.
#![no_main]

mod disk;

use greengrass::boot::state::backend::Map;
use greengrass::boot::state::uboot::{Copy, Form};
use greengrass::boot::state::{fat, grubenv, uboot};

use disk::{Disk, crc32};

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
    let disk = Disk::of(input.to_vec());
    let _ = fat::locate(&disk, "gg/grubenv", 1024);
    for path in ["gg/grubenv", "grubenv"] {
        if let Ok(at) = fat::make(&disk, path, &block) {
            // One that takes directory and blocks for the same place may have it lie anywhere, or nowhere.
            let _ = fat::locate(&disk, path, 1024).map(|found| found == at);
        }
    }
});
