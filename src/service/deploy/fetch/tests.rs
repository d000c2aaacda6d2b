#[cfg(feature = "download")]
mod download;

use super::*;
use crate::net::http::Timeouts;
use crate::wire::recipe::{ArtifactUri, Permission};

struct Store {
    _scratch: tempfile::TempDir,
    paths: Paths,
    cancelled: AtomicBool,
}

impl Store {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let paths = Paths::new(scratch.path().to_owned());
        std::fs::create_dir_all(paths.packages()).unwrap();
        Self { _scratch: scratch, paths, cancelled: AtomicBool::new(false) }
    }

    fn order(artifact: Artifact) -> Order {
        Order {
            name: ComponentName::parse("c").unwrap(),
            version: ComponentVersion::parse("1.0.0").unwrap(),
            artifacts: vec![artifact],
        }
    }

    fn fetch(&self, artifact: Artifact, store_limit: u64) -> Result<(), FetchError> {
        let pause = Duration::from_millis(1);
        let timeouts = Timeouts { connect: Duration::from_secs(30), socket: Duration::from_secs(1) };
        let fetcher = Fetcher {
            paths: &self.paths,
            client: &Client::new(timeouts),
            store_limit,
            retries: Retries { attempts: 4, first_pause: pause, longest_pause: pause },
            cancelled: &self.cancelled,
            progress: &|_| {},
        };
        fetcher.fetch_all(&[Self::order(artifact)])
    }
}

fn artifact(uri: &str) -> Artifact {
    let uri = ArtifactUri::parse(uri).unwrap();
    Artifact { uri, unarchive: Unarchive::None, permission: Permission::default(), digest: None }
}

fn codes(error: &FetchError) -> Vec<String> {
    error.stack().codes().split_off(2)
}

const PLENTY: u64 = 1 << 40;

#[test]
fn cancelled_fetch_ends_before_the_next_step() {
    let store = Store::new();
    store.cancelled.store(true, Ordering::Relaxed);
    assert!(matches!(store.fetch(artifact("http://127.0.0.1:9/file.txt"), PLENTY), Err(FetchError::Cancelled)));
}

#[cfg(not(feature = "download"))]
#[test]
fn download_is_refused_when_it_was_left_out() {
    let error = Store::new().fetch(artifact("https://example.com/file.txt"), PLENTY).unwrap_err();
    assert_eq!(codes(&error), ["DEVICE_CONFIG_NOT_VALID_FOR_ARTIFACT_DOWNLOAD"]);
}

#[test]
fn archive_is_unpacked_anew_only_when_it_came_anew() {
    let store = Store::new();
    let zip = |members: &[(&str, &[u8])]| {
        let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        for (name, content) in members {
            writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    };
    let source = store.paths.root().join("files.zip");
    let uri = format!("file://{}", source.display());
    let packed = Artifact { unarchive: Unarchive::Zip, ..artifact(&uri) };
    let Order { name, version, .. } = Store::order(packed.clone());
    let member = store.paths.unarchived(&name, &version).join("files/a.txt");

    std::fs::write(&source, zip(&[("a.txt", b"one")])).unwrap();
    store.fetch(packed.clone(), PLENTY).unwrap();
    assert_eq!(std::fs::read(&member).unwrap(), b"one");
    let unpacked = member.metadata().unwrap().modified().unwrap();
    store.fetch(packed.clone(), PLENTY).unwrap();
    assert_eq!(member.metadata().unwrap().modified().unwrap(), unpacked);

    // A later deployment brings another archive of the same name.
    let stored = store.paths.artifacts(&name, &version).join("files.zip");
    std::fs::remove_file(&stored).unwrap();
    std::fs::write(&source, zip(&[("a.txt", b"two")])).unwrap();
    store.fetch(packed.clone(), PLENTY).unwrap();
    assert_eq!(std::fs::read(&member).unwrap(), b"two");

    std::fs::remove_file(&stored).unwrap();
    std::fs::write(&source, zip(&[("../../a.txt", b"out")])).unwrap();
    assert_eq!(codes(&store.fetch(packed, PLENTY).unwrap_err()), ["IO_ERROR", "IO_UNZIP_ERROR"]);
    assert_eq!(std::fs::read(&member).unwrap(), b"two", "what was unpacked before stays");
}

#[test]
fn file_uris_name_local_paths() {
    for (uri, path) in [("///a/b%20c", "/a/b c"), ("/a/b", "/a/b"), ("//localhost/a", "/a"), ("///a%zz%", "/a%zz%")] {
        assert_eq!(local_path(uri), PathBuf::from(path), "{uri}");
    }
}
