use std::io::Cursor;

use zip::write::{SimpleFileOptions, ZipWriter};

use super::*;

fn options() -> SimpleFileOptions {
    SimpleFileOptions::default()
}

fn archive(members: &[(&str, &[u8], u32)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content, mode) in members {
        if mode & S_IFMT == S_IFLNK {
            writer.add_symlink(*name, std::str::from_utf8(content).unwrap(), options()).unwrap();
        } else if name.ends_with('/') {
            writer.add_directory(*name, options()).unwrap();
        } else {
            writer.start_file(*name, options().unix_permissions(*mode)).unwrap();
            writer.write_all(content).unwrap();
        }
    }
    writer.finish().unwrap().into_inner()
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(crate::store::scratch())
    }

    fn target(&self) -> PathBuf {
        self.0.path().join("c/1.0.0/pack")
    }

    fn unpack(&self, bytes: &[u8], existing: Existing) -> Result<u64, ArchiveError> {
        let path = self.0.path().join("pack.zip");
        std::fs::write(&path, bytes).unwrap();
        std::fs::create_dir_all(self.target().parent().unwrap()).unwrap();
        unpack(&path, &self.target(), 0o440, u64::MAX, existing)
    }

    fn refused(&self, bytes: &[u8]) -> String {
        let refused = self.unpack(bytes, Existing::Replace).unwrap_err();
        let left = std::fs::read_dir(self.target().parent().unwrap()).unwrap().count();
        assert_eq!(left, 0, "nothing is left");
        crate::base::report::Report(&refused).to_string()
    }
}

#[test]
fn archive_is_unpacked_with_its_modes() {
    let place = Place::new();
    let bytes =
        archive(&[("d/", b"", 0), ("d/e/file", b"content", 0o777), ("./top", b"", 0), ("d/up", b"../top", S_IFLNK)]);
    assert_eq!(place.unpack(&bytes, Existing::Keep).unwrap(), 7);
    let file = place.target().join("d/e/file");
    assert_eq!(std::fs::read(&file).unwrap(), b"content");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o440);
    assert_eq!(std::fs::metadata(file.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(std::fs::read_link(place.target().join("d/up")).unwrap(), Path::new("../top"));
}

#[test]
fn existing_target_is_kept_or_replaced_as_asked() {
    let place = Place::new();
    place.unpack(&archive(&[("old", b"1", 0)]), Existing::Keep).unwrap();
    let next = archive(&[("new", b"22", 0)]);
    assert_eq!(place.unpack(&next, Existing::Keep).unwrap(), 0);
    assert!(place.target().join("old").exists());
    assert_eq!(place.unpack(&next, Existing::Replace).unwrap(), 2);
    assert!(place.target().join("new").exists() && !place.target().join("old").exists());
}

#[test]
fn interrupted_attempt_is_begun_again() {
    let place = Place::new();
    let debris = place.target().with_file_name(".pack.unpacking");
    std::fs::create_dir_all(debris.join("half")).unwrap();
    place.unpack(&archive(&[("file", b"1", 0)]), Existing::Keep).unwrap();
    assert!(!debris.exists() && !place.target().join("half").exists());
}

#[test]
fn members_that_climb_out_are_refused() {
    let place = Place::new();
    for (name, fault) in [
        ("../evil", "leads out"),
        ("a/../../evil", "leads out"),
        ("a/..", "leads out"),
        ("/etc/evil", "absolute"),
        ("a\0b", "NUL"),
    ] {
        let report = place.refused(&archive(&[("fine", b"", 0), (name, b"x", 0)]));
        assert!(report.contains(fault) && report.contains("pack.zip"), "{name:?}: {report}");
    }
    assert!(!place.0.path().join("c/evil").exists());
}

#[test]
fn links_that_lead_out_are_refused() {
    for (name, target) in [("l", ".."), ("l", "/etc/passwd"), ("a/l", "../../x"), ("l", "a/../../x"), ("l", "a/..")] {
        let report = Place::new().refused(&archive(&[("a/file", b"", 0), (name, target.as_bytes(), S_IFLNK)]));
        assert!(report.contains("leads out"), "{name} -> {target}: {report}");
    }
}

#[test]
fn nothing_is_written_through_a_link() {
    let bytes = archive(&[("l", b"a", S_IFLNK), ("a/file", b"", 0), ("l/file", b"x", 0)]);
    let report = Place::new().refused(&bytes);
    assert!(report.contains("cannot create") && report.contains("exists"), "{report}");
    let bytes = archive(&[("l", b"a", S_IFLNK), ("l/m", b"../x", S_IFLNK)]);
    Place::new().refused(&bytes);
}

#[test]
fn members_in_one_place_are_refused() {
    let report = Place::new().refused(&archive(&[("a", b"1", 0), ("./a", b"2", 0)]));
    assert!(report.contains("taken"), "{report}");
    Place::new().refused(&archive(&[("a", b"1", 0), ("a/b", b"2", 0)]));
    let mut twice = archive(&[("aa", b"1", 0), ("ab", b"2", 0)]);
    let places: Vec<usize> = twice.windows(2).enumerate().filter(|(_, w)| w == b"ab").map(|(at, _)| at).collect();
    places.into_iter().for_each(|at| twice[at + 1] = b'a');
    let report = Place::new().refused(&twice);
    assert!(report.contains("same name"), "{report}");
}

#[test]
fn devices_and_odd_names_are_refused() {
    // The archiver's note of the kind of file is the upper half of the external attributes, in the directory entry.
    let mut bytes = archive(&[("device", b"", 0o644)]);
    let entry = bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    bytes[entry + 40..entry + 42].copy_from_slice(&0o020_644_u16.to_le_bytes());
    let report = Place::new().refused(&bytes);
    assert!(report.contains("neither a file"), "{report}");

    let mut bytes = archive(&[("nameX", b"", 0)]);
    let places: Vec<usize> = bytes.windows(5).enumerate().filter(|(_, w)| w == b"nameX").map(|(at, _)| at).collect();
    places.into_iter().for_each(|at| bytes[at + 4] = 0xff);
    let report = Place::new().refused(&bytes);
    assert!(report.contains("not UTF-8"), "{report}");
}

#[test]
fn encrypted_member_is_refused() {
    let mut bytes = archive(&[("secret", b"x", 0)]);
    let local = bytes.windows(4).position(|w| w == b"PK\x03\x04").unwrap();
    let entry = bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    bytes[local + 6] |= 1;
    bytes[entry + 8] |= 1;
    let report = Place::new().refused(&bytes);
    assert!(report.contains("encrypted"), "{report}");
}

#[test]
fn bombs_are_stopped_at_the_limit() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("zeros", options()).unwrap();
    let zeros = vec![0; 1 << 20];
    (0..=RATIO_FREE >> 20).for_each(|_| writer.write_all(&zeros).unwrap());
    let bytes = writer.finish().unwrap().into_inner();
    assert!(bytes.len() < 1 << 18);
    let report = Place::new().refused(&bytes);
    assert!(report.contains("unpacks to more than"), "{report}");

    let place = Place::new();
    let path = place.0.path().join("pack.zip");
    std::fs::write(&path, archive(&[("a", &[1; 100], 0)])).unwrap();
    let target = place.0.path().join("t");
    assert!(matches!(
        unpack(&path, &target, 0o440, 99, Existing::Replace),
        Err(ArchiveError::TooLarge { limit: 99, .. })
    ));
    assert_eq!(unpack(&path, &target, 0o440, 100, Existing::Replace).unwrap(), 100);
}

#[test]
fn too_many_members_are_refused() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for number in 0..=MAX_MEMBERS {
        writer.start_file(format!("{number}"), options().compression_method(zip::CompressionMethod::Stored)).unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    let report = Place::new().refused(&bytes);
    assert!(report.contains("more than 65536"), "{report}");
}

#[test]
fn damaged_archives_are_refused_at_every_cut_and_flip() {
    let place = Place::new();
    let good = archive(&[("a/b", b"hello hello hello hello", 0o755), ("c", b"", 0)]);
    for length in 0..good.len() {
        place.refused(&good[..length]);
    }
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x55;
        // Whether it is noticed or not: no panic, and nothing outside.
        let _ = place.unpack(&bad, Existing::Replace);
    }
    assert!(Place::new().refused(b"").contains("pack.zip"));
}
