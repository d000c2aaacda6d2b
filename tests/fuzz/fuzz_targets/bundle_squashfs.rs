#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| greengrass::service::ota::bundle::fuzz::bundle_squashfs(input));
