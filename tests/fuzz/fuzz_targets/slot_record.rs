//! Whatever lies where the slot-state record or an event should, it is refused or read; what is read is written the same.
#![no_main]

use greengrass::boot::state::record::Record;
use greengrass::boot::state::ring::Event;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let mut sector = [0; 512];
    let length = input.len().min(512);
    sector[..length].copy_from_slice(&input[..length]);
    for crc in [false, true] {
        if crc {
            // Behind a checksum that is right, so that the fields are reached.
            sector[..4].copy_from_slice(b"GGSS");
            let fits = crc32(&sector[8..]).to_le_bytes();
            sector[4..8].copy_from_slice(&fits);
        }
        if let Ok(record) = Record::decode(&sector) {
            assert_eq!(Record::decode(&record.encode()), Ok(record));
        }
    }
    sector[..4].copy_from_slice(b"GGEV");
    let fits = crc32(&sector[8..64]).to_le_bytes();
    sector[4..8].copy_from_slice(&fits);
    if let Some(event) = Event::decode(&sector) {
        let _ = Event::decode(&event.encode());
    }
});

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc: u32, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
