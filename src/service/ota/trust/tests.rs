//! Row X6 of the fault matrix: keys and certificates.

use super::mint::{Draft, Identity, Key, KeyKind, NOW, constraints, extension, purposes, usage};
use super::sign::{Padding, PrivateKey, Signatory, sign};
use super::*;
use crate::wire::bundle::cms::SignerError;
use crate::wire::bundle::der;
use crate::wire::bundle::signature::AlgorithmError;
use crate::wire::bundle::{oid, pem};

const CONTENT: &[u8] = b"[update]\ncompatible=board\n";
const YEAR: i64 = 365 * 86_400;

fn trusting(roots: &[&Identity]) -> Trust {
    Trust { roots: roots.iter().map(|root| root.certificate.clone()).collect(), ..Trust::default() }
}

fn signed(by: &[Signatory]) -> Vec<u8> {
    sign(CONTENT, by, NOW).unwrap()
}

/// Why the only signer does not count.
fn refusal(trust: &Trust, signature: &[u8], time: i64) -> PathError {
    match trust.verify(signature, &[], time) {
        Err(TrustError::NotEnough { signers: Accounts(signers), .. }) => match &signers[0].verdict {
            Verdict::Ignored(cause) => cause.clone(),
            Verdict::Counts(chain) => panic!("counts: {chain:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_kind_of_key_is_trusted() {
    let kinds =
        [KeyKind::P256, KeyKind::P384, KeyKind::Ed25519, KeyKind::Rsa(2048), KeyKind::Rsa(3072), KeyKind::Rsa(4096)];
    for kind in kinds {
        let root = Identity::self_signed(&Draft::authority("root"), kind);
        let signer = root.issue(&Draft::signer("signer"), kind);
        let verified = trusting(&[&root]).verify(&signed(&[signer.signatory(&[])]), &[], NOW).unwrap();
        assert_eq!(verified.content, CONTENT, "{kind:?}");
        let Verdict::Counts(chain) = &verified.signers[0].verdict else { panic!("{kind:?}") };
        let names: Vec<&str> = chain.links.iter().map(|link| link.name.as_str()).collect();
        assert_eq!(names, ["signer", "root"]);
        if let KeyKind::Rsa(_) = kind {
            let key = PrivateKey::from_pkcs8(&signer.key.pkcs8, Padding::Pss).unwrap();
            let pss = Signatory { key, certificates: vec![signer.certificate.clone()] };
            trusting(&[&root]).verify(&signed(&[pss]), &[], NOW).unwrap();
        }
    }
}

#[test]
fn short_rsa_key_is_refused() {
    // What a key of 1024 bits signs is not even looked at, so any bytes will do.
    let modulus = [&[0][..], &[0xff; 128]].concat();
    let key =
        der::encode(der::SEQUENCE, &[&der::encode(der::INTEGER, &[&modulus]), &der::encode(der::INTEGER, &[&[3]])]);
    let key = crate::wire::bundle::certificate::PublicKey::Rsa(&key);
    let found = verify(&key, crate::wire::bundle::signature::Algorithm::RsaPkcs1(Digest::Sha256), CONTENT, &[0; 128]);
    assert_eq!(found, Err(KeyError::Short { bits: 1024 }));
}

#[test]
fn wrong_authority_is_refused() {
    let (root, other) = (Identity::root("root"), Identity::root("other"));
    let namesake = Identity::root("root");
    let signature = signed(&[root.issue(&Draft::signer("signer"), KeyKind::P256).signatory(&[&root])]);
    let no_issuer = PathError::NoIssuer { issuer: "root".into() };
    assert_eq!(refusal(&trusting(&[&other]), &signature, NOW), no_issuer);
    // The namesake does not fit; the true one, which the bundle brings, leads nowhere.
    assert!(matches!(
        refusal(&trusting(&[&namesake]), &signature, NOW),
        PathError::FalseCertificate { .. } | PathError::NoIssuer { .. }
    ));
    assert_eq!(refusal(&trusting(&[]), &signature, NOW), no_issuer);
    trusting(&[&namesake, &other, &root]).verify(&signature, &[], NOW).unwrap();
}

#[test]
fn signer_without_certificate_is_refused() {
    let root = Identity::root("root");
    let signer = root.issue(&Draft::signer("signer"), KeyKind::P256);
    let certificate = Certificate::decode(&signer.certificate).unwrap();
    let private = signer.key.private();
    let hash = ring::digest::digest(&ring::digest::SHA256, CONTENT);
    let signed = crate::wire::bundle::cms::attributes(hash.as_ref(), NOW);
    let signature = private.sign(&signed).unwrap();
    let (algorithm, digest) = private.algorithm();
    let one = crate::wire::bundle::cms::Signature {
        certificate: &certificate,
        digest,
        algorithm,
        signed: &signed,
        signature: &signature,
    };
    let without = crate::wire::bundle::cms::encode(CONTENT, &[], &[one]);
    assert_eq!(refusal(&trusting(&[&root]), &without, NOW), PathError::NoCertificate);
    // One that the device has itself needs not be brought.
    trusting(&[&signer]).verify(&without, &[], NOW).unwrap();
}

#[test]
fn certificates_are_judged_at_the_time_given() {
    let root = Identity::self_signed(
        &Draft { valid: (NOW - 9 * YEAR, NOW + 9 * YEAR), ..Draft::authority("root") },
        KeyKind::P256,
    );
    let signer = root.issue(&Draft::signer("signer"), KeyKind::P256);
    let signature = signed(&[signer.signatory(&[])]);
    let trust = trusting(&[&root]);
    let name = || "signer".to_owned();
    assert_eq!(refusal(&trust, &signature, NOW - YEAR - 1), PathError::NotYetValid { name: name() });
    assert_eq!(refusal(&trust, &signature, NOW + YEAR + 1), PathError::Expired { name: name() });
    for time in [NOW - YEAR, NOW, NOW + YEAR] {
        trust.verify(&signature, &[], time).unwrap();
    }
    // A clock that begins in 1970.
    assert_eq!(refusal(&trust, &signature, 0), PathError::NotYetValid { name: name() });
    trust.verify(&signature, &[], verification_time(NOW - YEAR, NOW - 5, 0)).unwrap();
    assert_eq!(verification_time(1, 2, 3), 3);
    assert_eq!(verification_time(1, 3, 2), 3);
    // The root counts as well.
    let brief =
        Identity::self_signed(&Draft { valid: (NOW - 10, NOW - 5), ..Draft::authority("brief") }, KeyKind::P256);
    let signature = signed(&[brief.issue(&Draft::signer("signer"), KeyKind::P256).signatory(&[])]);
    assert_eq!(refusal(&trusting(&[&brief]), &signature, NOW), PathError::Expired { name: "brief".into() });
}

#[test]
fn certificate_must_be_for_the_purpose() {
    const SERVER: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
    let root = Identity::root("root");
    let mail = vec![usage(0x80), purposes(&[oid::EMAIL_PROTECTION])];
    let code = vec![usage(0x80), purposes(&[oid::CODE_SIGNING])];
    let server = vec![usage(0x80), purposes(&[SERVER])];
    let bare = vec![usage(0x80)];
    let wrong_use = vec![usage(0x20)];
    let any = vec![purposes(&[oid::ANY_EXTENDED_KEY_USAGE])];
    // Extensions; accepted for smimesign, codesign, any: what RAUC 1.8 does with OpenSSL 3.
    let rows = [
        (mail, [true, false, true]),
        (code, [false, true, true]),
        (server, [false, false, true]),
        (bare, [true, false, true]),
        (Vec::new(), [true, false, true]),
        (wrong_use, [false, false, true]),
        (any, [false, false, true]),
    ];
    for (extensions, accepted) in rows {
        let signer = root.issue(&Draft { extensions: extensions.clone(), ..Draft::signer("signer") }, KeyKind::P256);
        let signature = signed(&[signer.signatory(&[])]);
        for (name, accepted) in ["smimesign", "codesign", "any"].into_iter().zip(accepted) {
            let trust = Trust { purpose: Purpose::parse(name).unwrap(), ..trusting(&[&root]) };
            let found = trust.verify(&signature, &[], NOW);
            assert_eq!(found.is_ok(), accepted, "{name} {extensions:x?}: {found:?}");
        }
    }
    assert_eq!(Purpose::parse("sslserver"), None);
}

#[test]
fn only_an_authority_issues() {
    let root = Identity::root("root");
    let middle = root.issue(&Draft::authority("middle"), KeyKind::P256);
    let signer = middle.issue(&Draft::signer("signer"), KeyKind::P384);
    let trust = trusting(&[&root]);
    trust.verify(&signed(&[signer.signatory(&[&middle])]), &[], NOW).unwrap();
    let no_issuer = PathError::NoIssuer { issuer: "middle".into() };
    assert_eq!(refusal(&trust, &signed(&[signer.signatory(&[])]), NOW), no_issuer);

    let rows = [
        (vec![], PathError::NoAuthority { name: "middle".into() }),
        (vec![usage(0x80)], PathError::NoAuthority { name: "middle".into() }),
        (vec![constraints(false, None), usage(0x04)], PathError::NoAuthority { name: "middle".into() }),
        (vec![constraints(true, None), usage(0x80)], PathError::NoAuthority { name: "middle".into() }),
        (vec![constraints(true, None), purposes(&[&[1]])], PathError::Purpose { name: "middle".into() }),
    ];
    for (extensions, expected) in rows {
        let middle = root.issue(&Draft { extensions, ..Draft::authority("middle") }, KeyKind::P256);
        let signer = middle.issue(&Draft::signer("signer"), KeyKind::P256);
        assert_eq!(refusal(&trust, &signed(&[signer.signatory(&[&middle])]), NOW), expected);
    }

    let narrow = Draft { extensions: vec![constraints(true, Some(0))], ..Draft::authority("narrow") };
    let narrow = root.issue(&narrow, KeyKind::P256);
    let signer = narrow.issue(&Draft::signer("signer"), KeyKind::P256);
    trust.verify(&signed(&[signer.signatory(&[&narrow])]), &[], NOW).unwrap();
    let below = narrow.issue(&Draft::authority("below"), KeyKind::P256);
    let signer = below.issue(&Draft::signer("signer"), KeyKind::P256);
    let found = refusal(&trust, &signed(&[signer.signatory(&[&below, &narrow])]), NOW);
    assert_eq!(found, PathError::PathLength { name: "narrow".into() });
}

#[test]
fn path_has_an_end() {
    let root = Identity::root("root");
    let mut chain = vec![root.clone()];
    for name in ["a", "b", "c", "d", "e"] {
        let next = chain[chain.len() - 1].issue(&Draft::authority(name), KeyKind::P256);
        chain.push(next);
    }
    let trust = trusting(&[&root]);
    let signer = chain[4].issue(&Draft::signer("signer"), KeyKind::P256);
    let others: Vec<&Identity> = chain[1..].iter().collect();
    trust.verify(&signed(&[signer.signatory(&others)]), &[], NOW).unwrap();
    let signer = chain[5].issue(&Draft::signer("signer"), KeyKind::P256);
    assert!(trust.verify(&signed(&[signer.signatory(&others)]), &[], NOW).is_err());
    // Certificates that lead to each other, many times over.
    let swarm: Vec<Identity> = (0..25).map(|_| Identity::root("x")).collect();
    let signer = swarm[0].issue(&Draft::signer("signer"), KeyKind::P256);
    let others: Vec<&Identity> = swarm.iter().collect();
    assert!(trust.verify(&signed(&[signer.signatory(&others)]), &[], NOW).is_err());
}

#[test]
fn unknown_critical_extension_is_refused() {
    let root = Identity::root("root");
    let names = extension(&[0x55, 0x1d, 30], true, &[0x30, 0]);
    let signer = root.issue(&Draft { extensions: vec![usage(0x80), names], ..Draft::signer("signer") }, KeyKind::P256);
    let signature = signed_unread(&signer);
    assert_eq!(refusal(&trusting(&[&root]), &signature, NOW), PathError::NoCertificate);
}

/// As `sign`, for a certificate that cannot be read.
fn signed_unread(signer: &Identity) -> Vec<u8> {
    let plain = Identity::root("stand-in");
    let signatory = Signatory { key: plain.key.private(), certificates: vec![plain.certificate] };
    let mut signatory = signatory;
    signatory.certificates.push(signer.certificate.clone());
    let with = signed(&[signatory]);
    let data = SignedData::decode(&with).unwrap();
    assert_eq!(data.certificates.len(), 2);
    assert!(Certificate::decode(&signer.certificate).is_err());
    with_signer_only(&with, &signer.certificate)
}

/// The same signature without any certificate but one.
fn with_signer_only(signature: &[u8], certificate: &[u8]) -> Vec<u8> {
    let data = SignedData::decode(signature).unwrap();
    let stand_in = data.certificates.iter().find(|one| **one != certificate).unwrap();
    let decoded = Certificate::decode(stand_in).unwrap();
    let signer = &data.signers[0];
    let one = crate::wire::bundle::cms::Signature {
        certificate: &decoded,
        digest: signer.digest,
        algorithm: signer.algorithm,
        signed: &signer.signed,
        signature: signer.signature,
    };
    crate::wire::bundle::cms::encode(CONTENT, &[certificate], &[one])
}

#[test]
fn revoked_certificate_is_refused() {
    let root = Identity::root("root");
    let middle = root.issue(&Draft { serial: 3, ..Draft::authority("middle") }, KeyKind::P256);
    let signer = middle.issue(&Draft { serial: 9, ..Draft::signer("signer") }, KeyKind::P256);
    let signature = signed(&[signer.signatory(&[&middle])]);
    let with = |lists: Vec<Vec<u8>>| Trust { revocation_lists: lists, ..trusting(&[&root]) };
    let revoked = |name: &str, issuer: &str| PathError::Revoked { name: name.into(), issuer: issuer.into() };
    let later = NOW + YEAR;
    assert_eq!(refusal(&with(vec![middle.revoke(&[1, 9], later)]), &signature, NOW), revoked("signer", "middle"));
    assert_eq!(refusal(&with(vec![root.revoke(&[3], later)]), &signature, NOW), revoked("middle", "root"));
    // An old list still takes back what it took back.
    assert_eq!(refusal(&with(vec![root.revoke(&[3], NOW - 1)]), &signature, NOW), revoked("middle", "root"));
    with(vec![root.revoke(&[9], later), middle.revoke(&[3], later), root.revoke(&[], later)])
        .verify(&signature, &[], NOW)
        .unwrap();
    // A list of somebody with the same name takes nothing back.
    with(vec![Identity::root("middle").revoke(&[9], later)]).verify(&signature, &[], NOW).unwrap();

    let required = |lists| Trust { lists: Lists::Required, ..with(lists) };
    let none = |issuer: &str| PathError::NoRevocationList { issuer: issuer.into() };
    assert_eq!(refusal(&required(vec![root.revoke(&[], later)]), &signature, NOW), none("middle"));
    assert_eq!(
        refusal(&required(vec![root.revoke(&[], later), middle.revoke(&[], NOW - 1)]), &signature, NOW),
        none("middle")
    );
    required(vec![root.revoke(&[], later), middle.revoke(&[], later)]).verify(&signature, &[], NOW).unwrap();

    for (identity, name) in [(&signer, "signer"), (&middle, "middle"), (&root, "root")] {
        let revoked_keys = vec![sha256(&identity.key.info)];
        let trust = Trust { revoked_keys, ..trusting(&[&root]) };
        assert_eq!(refusal(&trust, &signature, NOW), PathError::RevokedKey { name: name.into() });
    }
}

#[test]
fn so_many_roots_must_sign() {
    let roots = [Identity::root("a"), Identity::root("b"), Identity::root("c")];
    let signer = |root: &Identity| root.issue(&Draft::signer("signer"), KeyKind::P256);
    let [a, b, c] = &roots;
    let trust = |require| Trust { require, ..trusting(&[a, b, c]) };
    let one = signed(&[signer(a).signatory(&[])]);
    let two = signed(&[signer(a).signatory(&[]), signer(c).signatory(&[])]);
    let twice = signed(&[signer(a).signatory(&[]), signer(a).signatory(&[])]);
    let all = signed(&[signer(a).signatory(&[]), signer(b).signatory(&[]), signer(c).signatory(&[])]);
    let counted = |signature: &[u8], require| match trust(require).verify(signature, &[], NOW) {
        Ok(_) => None,
        Err(TrustError::NotEnough { counted, .. }) => Some(counted),
        Err(other) => panic!("{other:?}"),
    };
    assert_eq!([0, 1, 2].map(|require| counted(&one, require)), [None, None, Some(1)]);
    assert_eq!([1, 2, 3].map(|require| counted(&two, require)), [None, None, Some(2)]);
    assert_eq!([1, 2].map(|require| counted(&twice, require)), [None, Some(1)], "one root is one root");
    assert_eq!([3, 4].map(|require| counted(&all, require)), [None, Some(3)]);
    // Two certificates of the same key are one root.
    let renewed = a.renewed(&Draft { serial: 8, ..Draft::authority("a") });
    assert_ne!(renewed.certificate, a.certificate);
    assert!(Trust { require: 2, ..trusting(&[a, &renewed]) }.verify(&twice, &[], NOW).is_err());
}

#[test]
fn junk_signer_does_no_harm_and_no_good() {
    let (root, stranger) = (Identity::root("root"), Identity::root("stranger"));
    let good = root.issue(&Draft::signer("good"), KeyKind::P256);
    let junk = stranger.issue(&Draft::signer("junk"), KeyKind::P256);
    let signature = signed(&[junk.signatory(&[&stranger]), good.signatory(&[])]);
    let verified = trusting(&[&root]).verify(&signature, &[], NOW).unwrap();
    let counts = verified.signers.iter().filter(|account| matches!(account.verdict, Verdict::Counts(_)));
    assert_eq!(counts.count(), 1);
    assert!(Trust { require: 2, ..trusting(&[&root]) }.verify(&signature, &[], NOW).is_err());
    let many: Vec<Signatory> = (0..17).map(|_| junk.signatory(&[])).collect();
    assert!(matches!(
        trusting(&[&stranger]).verify(&signed(&many), &[], NOW),
        Err(TrustError::Cms(CmsError::TooMany { .. }))
    ));
}

#[test]
fn each_changed_byte_is_noticed_or_means_nothing() {
    let root = Identity::root("root");
    let signer = root.issue(&Draft::signer("signer"), KeyKind::P256);
    let trust = trusting(&[&root]);
    let signature = signed(&[signer.signatory(&[])]);
    let mut accepted = Vec::new();
    for at in 0..signature.len() {
        for flip in [1, 0x80, 0xff] {
            let mut changed = signature.clone();
            changed[at] ^= flip;
            if let Ok(verified) = trust.verify(&changed, &[], NOW) {
                assert_eq!(verified.content, CONTENT, "byte {at}");
                accepted.push(at);
            }
        }
    }
    assert_eq!(accepted, Vec::<usize>::new());
    for end in 0..signature.len() {
        assert!(trust.verify(&signature[..end], &[], NOW).is_err(), "cut at {end}");
    }
    assert!(trust.verify(&[&signature[..], &[0]].concat(), &[], NOW).is_err());
}

#[test]
fn content_of_another_signature_is_refused() {
    let root = Identity::root("root");
    let signer = root.issue(&Draft::signer("signer"), KeyKind::P256);
    let signature = signed(&[signer.signatory(&[])]);
    let at = signature.windows(CONTENT.len()).position(|window| window == CONTENT).unwrap();
    let mut changed = signature.clone();
    changed[at + 20] ^= 1;
    assert!(matches!(trusting(&[&root]).verify(&changed, &[], NOW), Err(TrustError::FalseDigest { .. })));
    let mut changed = signature;
    *changed.last_mut().unwrap() ^= 1;
    assert!(matches!(trusting(&[&root]).verify(&changed, &[], NOW), Err(TrustError::FalseSignature { .. })));
}

#[test]
fn broken_digests_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let signer = Identity::self_signed(&Draft::authority("signer"), KeyKind::Rsa(2048));
    let write = |name: &str, bytes: &[u8]| std::fs::write(path(name), bytes).unwrap();
    write("key", pem::encode("PRIVATE KEY", &signer.key.pkcs8).as_bytes());
    write("certificate", pem::encode("CERTIFICATE", &signer.certificate).as_bytes());
    write("content", CONTENT);
    let trust = Trust { purpose: Purpose::Any, ..trusting(&[&signer]) };
    for (digest, is_trusted) in [("sha256", true), ("sha384", true), ("sha512", true), ("sha1", false), ("md5", false)]
    {
        let words = format!("cms -sign -nodetach -binary -nosmimecap -outform DER -md {digest} -in");
        let made = std::process::Command::new("openssl")
            .args(words.split(' '))
            .args([&path("content"), "-inkey", &path("key"), "-signer", &path("certificate")])
            .output()
            .expect("this test needs openssl(1)");
        assert!(made.status.success(), "{digest}: {}", String::from_utf8_lossy(&made.stderr));
        let found = trust.verify(&made.stdout, &[], NOW);
        if is_trusted {
            assert_eq!(found.unwrap().content, CONTENT);
        } else {
            let Err(TrustError::Cms(CmsError::Signer { cause, .. })) = found else { panic!("{digest}: {found:?}") };
            assert!(matches!(cause, SignerError::Algorithm(AlgorithmError::Weak { .. })), "{digest}: {cause:?}");
        }
    }
}

#[test]
fn detached_key_counts_as_a_root() {
    let root = Identity::root("root");
    let signer = root.issue(&Draft::signer("signer"), KeyKind::P256);
    let signature = signed(&[signer.signatory(&[])]);
    let key = Key::make(KeyKind::Ed25519);
    let detached: [u8; 64] = key.private().sign(CONTENT).unwrap().try_into().unwrap();
    let public: [u8; 32] = key.info[key.info.len() - 32..].try_into().unwrap();
    // Alone, where the device knows no certificates at all.
    let alone = Trust { keys: vec![public], ..Trust::default() };
    alone.verify(&signature, &[detached], NOW).unwrap();
    assert!(alone.verify(&signature, &[], NOW).is_err());
    assert!(alone.verify(&signature, &[[0; 64]], NOW).is_err());
    let both = Trust { keys: vec![public], require: 2, ..trusting(&[&root]) };
    both.verify(&signature, &[detached], NOW).unwrap();
    assert!(both.verify(&signature, &[], NOW).is_err());
    assert!(both.verify(&signature, &[detached, detached], NOW).is_ok());
    let twice = Trust { keys: vec![public], require: 2, ..Trust::default() };
    assert!(twice.verify(&signature, &[detached, detached], NOW).is_err(), "one key is one key");
    let revoked = Trust { revoked_keys: vec![sha256(&key.info)], ..alone };
    assert!(revoked.verify(&signature, &[detached], NOW).is_err());
}
