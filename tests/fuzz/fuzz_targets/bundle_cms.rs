#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gg_wire::fuzz::bundle_cms(input));
