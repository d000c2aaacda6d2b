//! Whatever is given as a kernel configuration, as text or as gzip, is read within its bounds or refused.
#![no_main]

use greengrass::boot::kernel::{Configuration, Release, requirements};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    // The second time behind a header that is right, so that the packed data is reached.
    let packed = [b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".as_slice(), input].concat();
    for bytes in [input, &packed] {
        if let Ok(configuration) = Configuration::parse(bytes) {
            let release = configuration.release().unwrap_or(Release(0, 0));
            let met = requirements().iter().filter(|one| one.is_met(&configuration, release)).count();
            assert!(met <= requirements().len());
        }
    }
    if let Ok(text) = std::str::from_utf8(input) {
        let _ = Release::parse(text);
    }
});
