//! Row X15 of the fault matrix: bundles of Debian's `rauc` are installed by our program, and ours are taken by `rauc`.
//!
//! Whole programs here, keys of openssl(1), slots that are files; `rauc install` of our bundles, which needs device-mapper,
//! is in `tests/image/rauc.sh`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder with keys, and what is made in it.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    /// None where a program is missing.
    fn set_up() -> Option<Self> {
        for (program, package) in [("rauc", "rauc"), ("mksquashfs", "squashfs-tools"), ("openssl", "openssl")] {
            let paths = std::env::var_os("PATH").unwrap_or_default();
            if !std::env::split_paths(&paths).any(|path| path.join(program).exists()) {
                eprintln!("skipped: {program} is not there (apt-get install {package})");
                return None;
            }
        }
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        bench.root("ca");
        bench.signer("signer", "ca");
        Some(bench)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn openssl(&self, arguments: &str) {
        let mut command = Command::new("openssl");
        run(command.args(arguments.split(' ')).current_dir(self.folder.path()));
    }

    fn root(&self, name: &str) {
        self.openssl(&format!(
            "req -x509 -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.pem -subj /CN={name} -days 30 \
             -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign"
        ));
    }

    fn signer(&self, name: &str, by: &str) {
        let usage = "basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=emailProtection\n";
        fs::write(self.path("usage"), usage).unwrap();
        self.openssl(&format!("req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {by}.pem -CAkey {by}.key -CAcreateserial -days 30 -extfile usage -out {name}.pem"
        ));
    }

    /// A new folder with a manifest, and an image for the class rootfs.
    fn input(&self, format: &str, more: &str, image: &[u8]) -> PathBuf {
        let folder = self.path("input");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        let format = if format.is_empty() { String::new() } else { format!("[bundle]\nformat={format}\n\n") };
        let manifest =
            format!("[update]\ncompatible=board\nversion=1.2\n\n{format}[image.rootfs]\nfilename=rootfs.img\n{more}");
        fs::write(folder.join("manifest.raucm"), manifest).unwrap();
        fs::write(folder.join("rootfs.img"), image).unwrap();
        folder
    }

    /// What `rauc bundle` makes of it.
    fn bundle_of_rauc(&self, folder: &Path, mksquashfs: &str) -> PathBuf {
        let bundle = self.path("rauc.raucb");
        let _ = fs::remove_file(&bundle);
        let mut command = Command::new("rauc");
        command.arg("--cert").arg(self.path("signer.pem")).arg("--key").arg(self.path("signer.key"));
        if !mksquashfs.is_empty() {
            command.arg(format!("--mksquashfs-args={mksquashfs}"));
        }
        run(command.arg("bundle").arg(folder).arg(&bundle));
        bundle
    }

    /// What our program makes of it.
    fn bundle_of_ours(&self, folder: &Path, signers: &[&str], more: &[&str]) -> PathBuf {
        let bundle = self.path("ours.raucb");
        let mut command = greengrass(&["ota", "bundle", "create"]);
        for signer in signers {
            command.arg("--key").arg(self.path(&format!("{signer}.key")));
            command.arg("--cert").arg(self.path(&format!("{signer}.pem")));
        }
        run(command.args(more).arg(folder).arg(&bundle));
        bundle
    }

    /// A slot that is a file and holds something else.
    fn slot(&self) -> PathBuf {
        let slot = self.path("slot");
        fs::write(&slot, vec![0xa5; 8 << 20]).unwrap();
        slot
    }

    fn install(&self, bundle: &Path, slot: &Path) -> Output {
        let mut command = greengrass(&["ota", "install", "--compatible", "board", "--keyring"]);
        command.arg(self.path("ca.pem")).arg("--slot").arg(format!("rootfs={}", slot.display()));
        command.arg(bundle).output().unwrap()
    }

    /// What `rauc info` says, or why it refuses.
    fn info_of_rauc(&self, bundle: &Path, keyring: &str) -> Result<String, String> {
        let mut command = Command::new("rauc");
        let output = command.arg("--keyring").arg(self.path(keyring)).arg("info").arg(bundle).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}

fn greengrass(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greengrass"));
    command.args(arguments);
    command
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refusal(output: &Output) -> String {
    assert!(!output.status.success(), "it was installed");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Blocks that pack well, badly and to nothing; `seed` makes another image.
fn image(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = vec![0; size];
    for (number, block) in bytes.chunks_mut(4096).enumerate() {
        for byte in block {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = match number % 64 {
                0..32 => (state >> 33) as u8,
                32..48 => b'a' + (number % 7) as u8,
                _ => 0,
            };
        }
    }
    bytes
}

#[test]
fn bundles_of_rauc_are_installed_byte_for_byte() {
    let Some(bench) = Bench::set_up() else { return };
    let rows = [
        ("", ""),
        ("", "-comp gzip -Xcompression-level 9"),
        ("", "-comp xz"),
        ("", "-comp zstd"),
        ("", "-comp gzip -b 64k"),
        ("", "-comp zstd -b 1M"),
        ("", "-noI -noD -noF -noX"),
        ("adaptive=block-hash-index\n", ""),
        ("adaptive=block-hash-index\n", "-comp zstd"),
        ("[meta.release]\nnotes=none\n", ""),
    ];
    for (number, (more, mksquashfs)) in rows.into_iter().enumerate() {
        // An adaptive image has whole blocks.
        let image = image(3_145_728 + if more.starts_with("adaptive") { 0 } else { 123 }, number as u64);
        let bundle = bench.bundle_of_rauc(&bench.input("verity", more, &image), mksquashfs);
        let slot = bench.slot();
        let installed = bench.install(&bundle, &slot);
        assert!(installed.status.success(), "{more:?} {mksquashfs:?}: {}", String::from_utf8_lossy(&installed.stderr));
        let found = fs::read(&slot).unwrap();
        assert!(found[..image.len()] == image, "{more:?} {mksquashfs:?}");
        // The rest of the slot is nobody's; zeros up to a whole block are.
        let end = image.len().next_multiple_of(4096);
        assert!(found[end..].iter().all(|byte| *byte == 0xa5), "{more:?} {mksquashfs:?}: the rest of the slot");
    }
}

#[test]
fn bundles_of_rauc_that_want_too_much_leave_the_slot_alone() {
    let Some(bench) = Bench::set_up() else { return };
    let image = image(200_000, 1);
    let plain = bench.bundle_of_rauc(&bench.input("plain", "", &image), "");
    let untouched = || {
        let slot = bench.slot();
        (fs::read(&slot).unwrap(), slot)
    };
    let (before, slot) = untouched();
    assert!(refusal(&bench.install(&plain, &slot)).contains("plain"));
    assert!(fs::read(&slot).unwrap() == before);

    let folder = bench.input("verity", "hooks=post-install\n\n[hooks]\nfilename=hook\nhooks=install-check\n", &image);
    fs::write(folder.join("hook"), "#!/bin/sh\nexit 0\n").unwrap();
    let hooked = bench.bundle_of_rauc(&folder, "");
    let refused = refusal(&bench.install(&hooked, &slot));
    assert!(refused.contains("hook") || refused.contains("program"), "{refused}");
    assert!(fs::read(&slot).unwrap() == before);

    // Signed by somebody else who calls itself the same.
    let verity = bench.bundle_of_rauc(&bench.input("verity", "", &image), "");
    bench.root("ca");
    refusal(&bench.install(&verity, &slot));
    assert!(fs::read(&slot).unwrap() == before);
}

#[test]
fn our_bundles_are_known_to_rauc() {
    let Some(bench) = Bench::set_up() else { return };
    let image = image(2_097_152, 3);
    for more in ["", "adaptive=block-hash-index\n", "[meta.greengrass]\nfloor=3\n"] {
        for compression in ["auto", "gzip", "none"] {
            let folder = bench.input("verity", more, &image);
            let bundle = bench.bundle_of_ours(&folder, &["signer"], &["--compression", compression]);
            let info = bench.info_of_rauc(&bundle, "ca.pem").unwrap();
            for said in ["'board'", "'1.2'", "rootfs.img", "verity"] {
                assert!(info.contains(said), "{more:?} {compression}: no {said} in {info}");
            }
            let out = bench.path("out");
            let _ = fs::remove_dir_all(&out);
            run(Command::new("rauc").arg("--keyring").arg(bench.path("ca.pem")).arg("extract").arg(&bundle).arg(&out));
            assert!(fs::read(out.join("rootfs.img")).unwrap() == image, "{more:?} {compression}");
            // Nobody else's keyring takes it.
            bench.root("other");
            bench.info_of_rauc(&bundle, "other.pem").unwrap_err();
        }
    }
}

#[test]
fn bundle_that_rauc_has_signed_again_is_installed() {
    let Some(bench) = Bench::set_up() else { return };
    let image = image(1_000_000, 5);
    let first = bench.bundle_of_ours(&bench.input("verity", "", &image), &["signer"], &[]);
    bench.root("next");
    bench.signer("successor", "next");
    let second = bench.path("resigned.raucb");
    let mut command = Command::new("rauc");
    command.arg("resign");
    command.arg("--cert").arg(bench.path("successor.pem")).arg("--key").arg(bench.path("successor.key"));
    command.arg("--keyring").arg(bench.path("ca.pem"));
    command.arg("--signing-keyring").arg(bench.path("next.pem"));
    run(command.arg(&first).arg(&second));
    let slot = bench.slot();
    refusal(&bench.install(&second, &slot));
    fs::copy(bench.path("next.pem"), bench.path("ca.pem")).unwrap();
    let installed = bench.install(&second, &slot);
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    assert!(fs::read(&slot).unwrap()[..image.len()] == image);
}
