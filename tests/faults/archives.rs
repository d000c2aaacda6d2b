//! Archives and other artifacts that anybody may have made.

use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::symlink;

use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::device::{Device, files_below};

const NAME: &str = "com.example.Packed";

#[test]
fn hostile_archives_are_refused_by_name_and_leave_nothing() {
    let mut device = Device::new();
    let plain = |names: &[&str]| {
        archive(|zip| {
            for name in names {
                zip.start_file(*name, SimpleFileOptions::default()).unwrap();
                zip.write_all(b"escaped").unwrap();
            }
        })
    };
    let link =
        |name: &str, target: &str| archive(|zip| zip.add_symlink(name, target, SimpleFileOptions::default()).unwrap());
    let whole = plain(&["a", "b"]);
    let bomb = archive(|zip| {
        zip.start_file("zeros", SimpleFileOptions::default().compression_level(Some(9))).unwrap();
        let zeros = vec![0; 1 << 20];
        (0..80).for_each(|_| zip.write_all(&zeros).unwrap());
    });
    let through = archive(|zip| {
        zip.add_symlink("way", "/tmp", SimpleFileOptions::default()).unwrap();
        zip.start_file("way/escaped", SimpleFileOptions::default()).unwrap();
    });
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("up", plain(&["fine", "../escaped"]), "leads out"),
        ("far-up", plain(&["a/../../../../../../../../tmp/escaped"]), "leads out"),
        ("absolute", plain(&["/tmp/escaped"]), "absolute path"),
        ("link", link("link", "/etc/passwd"), "link that leads out"),
        ("link-up", link("a/link", "../../escaped"), "link that leads out"),
        ("through", through, "refused because of its member"),
        ("twice", plain(&["a/b", "a//b"]), "refused because of its member"),
        ("bomb", bomb, "unpacks to more than"),
        ("truncated", whole[..whole.len() - 30].to_vec(), "not a zip archive"),
        ("garbage", b"PK\x03\x04garbage".repeat(100), "not a zip archive"),
        ("empty", Vec::new(), "not a zip archive"),
    ];
    for (number, (name, content, fault)) in cases.into_iter().enumerate() {
        device.clear();
        let version = format!("1.0.{number}");
        let file = format!("{name}.zip");
        device.artifact(NAME, &version, &file, &content);
        let artifact = json!({"Uri": format!("s3://bucket/{file}"), "Unarchive": "ZIP"});
        device.recipe(NAME, &version, &with_artifact(&artifact));
        device.refused(&["--merge", &format!("{NAME}={version}")], &[&file, fault, NAME]);
        let left = files_below(&device.core.root().join("packages/artifacts-unarchived"));
        assert!(left.is_empty(), "{file} left {left:?}");
        device.check_next();
    }
    for place in files_below(&device.core.root()).iter().chain(&files_below(&device.path("artifacts"))) {
        assert!(!place.ends_with("escaped"), "{}", place.display());
    }
    assert!(!fs::exists("/tmp/escaped").unwrap());
    device.end();
}

#[test]
fn wrong_digests_and_artifacts_that_are_none_are_refused_by_name() {
    let mut device = Device::new();
    let content = device.path("outside").join("content.txt");
    fs::write(&content, "content").unwrap();
    let here = format!("file://{}", content.display());
    let of = |uri: &str, digest: &str| json!({"Uri": uri, "Digest": digest, "Algorithm": "SHA-256"});
    let wrong = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let cases = [
        (of(&here, wrong), "instead of 47DEQpj8HBSa"),
        (of(&here, "nonsense"), "instead of nonsense"),
        (json!({"Uri": here, "Digest": wrong, "Algorithm": "MD5"}), "MD5"),
        (json!({"Uri": "file:///does/not/exist.txt"}), "/does/not/exist.txt"),
        (json!({"Uri": "file:///dev/zero"}), "not a regular file"),
        (json!({"Uri": "file:///etc/"}), "does not end in a file name"),
        (json!({"Uri": "ftp://example.com/x"}), "scheme"),
        (json!({"Uri": "s3://bucket/missing.txt"}), "missing.txt"),
        (json!({"Uri": "http://127.0.0.1:1/missing.txt"}), "missing.txt"),
    ];
    for (number, (artifact, fault)) in cases.into_iter().enumerate() {
        let version = format!("1.0.{number}");
        device.recipe(NAME, &version, &with_artifact(&artifact));
        device.refused(&["--merge", &format!("{NAME}={version}")], &[fault, NAME]);
        assert!(!device.core.root().join(format!("packages/artifacts/{NAME}/{version}/content.txt")).exists());
        device.check_next();
    }
    device.end();
}

#[test]
fn artifact_directories_with_links_and_devices_are_refused_by_name() {
    let mut device = Device::new();
    let secret = device.path("outside").join("secret.txt");
    fs::write(&secret, "secret").unwrap();
    let below = device.path(&format!("artifacts/{NAME}/1.0.0"));
    let link = below.join("artifact.txt");
    device.recipe(NAME, "1.0.0", &with_artifact(&json!({"Uri": "s3://bucket/artifact.txt"})));
    for (target, fault) in [
        (secret.to_str().unwrap(), "leads out of the artifact directory"),
        ("../../../outside/secret.txt", "leads out of the artifact directory"),
        ("/dev/zero", "not a plain file"),
        ("..", "not a plain file"),
        ("artifact.txt", "artifact.txt"),
    ] {
        let _ = fs::remove_file(&link);
        symlink(target, &link).unwrap();
        device.refused(&["--merge", "com.example.Packed=1.0.0"], &["artifact.txt", fault]);
        device.check_next();
    }
    let store = device.core.root().join("packages/artifacts");
    let output = device.core.cli(&super::device::create(&["--artifactDir", store.to_str().unwrap()]));
    device.check_refusal(&output, &["component store"]);
    for stored in files_below(&store) {
        assert_ne!(fs::read(stored).unwrap(), b"secret");
    }
    device.end();
}

fn with_artifact(artifact: &Value) -> Value {
    json!({"Lifecycle": {"Run": "true"}, "Artifacts": [artifact]})
}

fn archive(fill: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    fill(&mut zip);
    zip.finish().unwrap().into_inner()
}
