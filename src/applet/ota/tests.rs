//! The command line from one end to the other.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use super::run;
use crate::applet::USAGE;
use crate::service::ota::trust::mint::{Draft, Identity, KeyKind, NOW};
use crate::wire::bundle::pem;

fn call(words: &[&str]) -> ExitCode {
    run(words.iter().map(OsString::from).collect())
}

/// A folder with an image, a key and its certificates. They are valid now and for as long as anybody runs this.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let valid = (NOW - 10 * 365 * 86_400, NOW + 50 * 365 * 86_400);
    let root = Identity::self_signed(&Draft { valid, ..Draft::authority("root") }, KeyKind::P256);
    let signer = root.issue(&Draft { valid, ..Draft::signer("signer") }, KeyKind::Ed25519);
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("root.pem", &pem::encode("CERTIFICATE", &root.certificate));
    write("key.pem", &pem::encode("PRIVATE KEY", &signer.key.pkcs8));
    write("cert.pem", &pem::encode("CERTIFICATE", &signer.certificate));
    write("manifest.raucm", "[update]\ncompatible=board\n[image.rootfs]\nfilename=a.img\n[meta.greengrass]\nfloor=3\n");
    write("a.img", &"an image ".repeat(5_000));
    write(
        "ota.conf",
        "[system]\ncompatible=board\nbootloader=grub\n[keyring]\npath=root.pem\n[slot.rootfs.0]\ndevice=/dev/null\n",
    );
    write("slot", "");
    folder
}

#[test]
fn bundle_is_made_verified_and_installed() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (bundle, conf) = (path("a.raucb"), path("ota.conf"));
    let create = ["bundle", "create", "--key", &path("key.pem"), "--cert", &path("cert.pem"), &path(""), &bundle];
    assert_eq!(call(&create), ExitCode::SUCCESS);
    for words in [
        vec!["bundle", "info", "--conf", &conf, &bundle],
        vec!["bundle", "info", "--conf", &conf, "-o", "json", &bundle],
        vec!["bundle", "info", "--no-verify", "--manifest", &bundle],
        vec!["bundle", "verify", "--conf", &conf, "-o", "json", &bundle],
        vec!["bundle", "verify", "--conf", &conf, &bundle],
    ] {
        assert_eq!(call(&words), ExitCode::SUCCESS, "{words:?}");
    }
    let slot = format!("rootfs={}", path("slot"));
    let install = ["install", "--conf", &conf, "--slot", &slot, "-o", "json"];
    for (more, expected) in [
        (vec!["--floor", "4"], ExitCode::FAILURE),
        (vec!["--compatible", "other"], ExitCode::FAILURE),
        (vec!["--require", "2"], ExitCode::FAILURE),
        (vec!["--floor", "3"], ExitCode::SUCCESS),
    ] {
        let words = [&install[..], &more, &[&bundle]].concat();
        assert_eq!(call(&words), expected, "{more:?}");
    }
    let written = std::fs::read(path("slot")).unwrap();
    assert!(written.starts_with(&std::fs::read(path("a.img")).unwrap()));
    damage(Path::new(&bundle));
    assert_eq!(call(&["bundle", "info", "--conf", &conf, &bundle]), ExitCode::SUCCESS);
    assert_eq!(call(&["bundle", "verify", "--conf", &conf, &bundle]), ExitCode::FAILURE);
}

fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[20_000] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn refusals_and_nonsense_differ() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (key, cert, out) = (path("key.pem"), path("cert.pem"), path("out"));
    for words in [
        vec!["bundle", "info", "/nonexistent"],
        vec!["bundle", "info", &key],
        vec!["bundle", "create", "--key", &cert, "--cert", &cert, &path(""), &out],
        vec!["bundle", "create", "--key", &key, "--cert", &path("root.pem"), &path(""), &out],
        vec!["bundle", "create", "--key", &key, "--cert", &cert, "/nonexistent", &out],
    ] {
        assert_eq!(call(&words), ExitCode::FAILURE, "{words:?}");
        assert!(!Path::new(&out).exists());
    }
    for words in [
        vec![],
        vec!["bundle"],
        vec!["bundle", "info"],
        vec!["bundle", "create", &key, &out],
        vec!["bundle", "create", "--key", &key, "--key", &key, "--cert", &cert, &path(""), &out],
        vec!["install", &out],
        vec!["install", "--slot", "rootfs", &out],
        vec!["install", "--slot", "rootfs=x", &out],
    ] {
        assert_eq!(call(&words), ExitCode::from(USAGE), "{words:?}");
    }
    assert_eq!(call(&["--help"]), ExitCode::SUCCESS);
    assert_eq!(call(&["bundle", "create", "--help"]), ExitCode::SUCCESS);
}
