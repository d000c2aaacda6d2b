//! Artifacts from a web server and from a directory, checked, unpacked and given their modes.

use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::device::{Device, stay};
use crate::server::{Page, Server};
use crate::support::is_root;

fn archive() -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in [("tool.sh", "echo a tool"), ("data/words.txt", "many words")] {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).permissions().mode() & 0o7777
}

#[test]
fn artifacts_are_fetched_checked_unpacked_and_given_their_modes() {
    let device = Device::new();
    let bytes = archive();
    let digest = STANDARD.encode(Sha256::digest(&bytes));
    let server = Server::new([("/tools.zip".to_owned(), Page::Bytes(bytes))].into());
    let local = device.core.directory("else where").join("note.txt");
    fs::write(&local, "a note").unwrap();
    let artifacts = json!([
        {"Uri": server.url("/tools.zip"), "Unarchive": "ZIP", "Digest": digest, "Algorithm": "SHA-256",
         "Permission": {"Read": "ALL", "Execute": "OWNER"}},
        {"Uri": format!("file://{}", local.to_str().unwrap().replace(' ', "%20"))},
    ]);
    let script = stay("$(sh '{artifacts:decompressedPath}/tools/tool.sh') $(cat '{artifacts:path}/note.txt')");
    let manifests = json!([{"Lifecycle": {"Run": script}, "Artifacts": artifacts}]);
    device.recipe("com.example.A", "1.0.0", &json!({}), &json!({ "Manifests": manifests }));
    device.succeed(&["-m", "com.example.A=1.0.0"]);
    device.diary_ends("com.example.A", &["a tool a note"]);

    let packages = device.core.root().join("packages");
    let own = packages.join("artifacts/com.example.A/1.0.0");
    let unpacked = packages.join("artifacts-unarchived/com.example.A/1.0.0/tools");
    // Owner write is added only where the daemon is not root.
    let write = if is_root() { 0 } else { 0o200 };
    assert_eq!(mode(&own.join("tools.zip")), 0o554 | write);
    assert_eq!(mode(&own.join("note.txt")), 0o440 | write);
    assert_eq!(mode(&unpacked.join("tool.sh")), 0o554 | write);
    assert_eq!(mode(&unpacked.join("data/words.txt")), 0o554 | write);
    assert_eq!(mode(&unpacked.join("data")), 0o755);

    // All is in place: nobody is asked again.
    drop(server);
    device.succeed(&["-m", "com.example.A=1.0.0"]);
}

#[test]
fn artifact_that_cannot_be_had_fails_the_deployment_and_is_named() {
    let device = Device::new();
    let server = Server::new([("/a.bin".to_owned(), Page::Bytes(b"changed".into()))].into());
    let cases = [
        (json!({"Uri": server.url("/none.bin")}), "404"),
        (json!({"Uri": "file:///no/such/file.bin"}), "No such file"),
        (json!({"Uri": "s3://bucket/key.bin"}), "artifact directory"),
    ];
    for (number, (artifact, part)) in cases.into_iter().enumerate() {
        let version = format!("1.0.{number}");
        let manifests = json!([{"Lifecycle": {"Run": "true"}, "Artifacts": [artifact]}]);
        device.recipe("com.example.A", &version, &json!({}), &json!({ "Manifests": manifests }));
        let cause = device.fail("FAILED_NO_STATE_CHANGE", &["-m", &format!("com.example.A={version}")]);
        let uri = artifact["Uri"].as_str().unwrap();
        assert!(cause.contains(part) && cause.contains(uri) && cause.contains("com.example.A"), "{cause}");
    }
    assert_eq!(device.state("com.example.A"), "");
}
