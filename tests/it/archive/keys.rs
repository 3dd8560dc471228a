//! Master keys: made, rotated, in a token.

use std::process::Command;

use super::*;

#[test]
fn a_master_key_nobody_gave_is_made_for_its_owner_alone_and_can_be_rotated() {
    let server = Server::with_environment(&SMALL);
    assert_eq!(server.log().matches("no master key for the archive was given").count(), 1, "{}", server.log());
    let directory = server.data().join("archive-master");
    let keys = || fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let [first] = &keys()[..] else { panic!("{:?}", keys()) };
    assert_eq!(fs::metadata(first).unwrap().permissions().mode() & 0o777, 0o600);
    let client = server.client();
    send(&client, "d1", 0..20);
    archived(&server);
    let before: Vec<_> = blocks(&server, "d1").iter().map(|path| fs::read(path).unwrap()).collect();

    let said = admin(&server, &["archive", "rotate-master-key"]);
    assert!(said.starts_with("1 data keys are wrapped by master key"), "{said}");
    fs::remove_file(first).unwrap();
    // The running server finds the new one by itself, and so does the next.
    send(&client, "d1", 20..30);
    archived(&server);
    let server = server.restart_after_kill();
    assert!(!server.log().contains("no master key"), "{}", server.log());
    send(&server.client_again(&client), "d1", 30..40);
    archived(&server);
    verified(&server);
    assert_eq!(read(&server, "d1"), (0..40).collect());
    let after: Vec<_> = blocks(&server, "d1").iter().map(|path| fs::read(path).unwrap()).collect();
    assert_eq!(after[..before.len()], before, "no block was touched");

    // A wrong key is refused before anything is archived with it.
    let said = server.refuses_to_start_with(&[("AFFERENT_ARCHIVE_MASTER_KEY", &"ab".repeat(32))]);
    assert!(said.contains("the archive's data keys are wrapped by master key"), "{said}");
    assert!(!said.contains(&"ab".repeat(32)));
}

#[test]
fn a_master_key_in_a_token_wraps_and_unwraps() {
    let Some(token) = Token::new() else { return };
    let key = token.directory.path().join("key");
    fs::write(&key, "22".repeat(32)).unwrap();
    let file = ("AFFERENT_ARCHIVE_MASTER_KEY_FILE", key.to_str().unwrap());
    let settings = [&SMALL[..], &[file, ("SOFTHSM2_CONF", &token.configuration)]].concat();
    let server = Server::with_environment(&settings);
    assert!(server.log().contains("others than its owner may read"), "{}", server.log());
    let client = server.client();
    send(&client, "d1", 0..10);
    archived(&server);
    // From the file into the token.
    let pin = token.directory.path().join("pin");
    fs::write(&pin, "1234\n").unwrap();
    let new = [
        "--new-pkcs11-module",
        MODULE,
        "--new-pkcs11-token",
        "app",
        "--new-pkcs11-key",
        "kek",
        "--new-pkcs11-pin-file",
    ];
    let said = admin(&server, &[&["archive", "rotate-master-key"], &new[..], &[pin.to_str().unwrap()]].concat());
    assert!(said.contains("by master key pkcs11:app/kek"), "{said}");

    let place = [
        ("AFFERENT_ARCHIVE_PKCS11_MODULE", MODULE),
        ("AFFERENT_ARCHIVE_PKCS11_TOKEN", "app"),
        ("AFFERENT_ARCHIVE_PKCS11_KEY", "kek"),
        ("AFFERENT_ARCHIVE_PKCS11_PIN", "1234"),
    ];
    let server = server.restart_instead("AFFERENT_ARCHIVE_MASTER_KEY_FILE", &place);
    send(&server.client_again(&client), "d1", 10..20);
    archived(&server);
    verified(&server);
    assert_eq!(read(&server, "d1"), (0..20).collect());
    // Another key in the same token.
    let said = server.refuses_to_start_with(&[("AFFERENT_ARCHIVE_PKCS11_KEY", "other")]);
    assert!(said.contains("not exactly one AES key is labelled other"), "{said}");
    let said = server.refuses_to_start_with(&[("AFFERENT_ARCHIVE_PKCS11_PIN", "4321")]);
    assert!(said.contains("PKCS#11 token") && !said.contains("4321"), "{said}");
}

/// Debian's place of SoftHSM2.
const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// A token with an AES key `kek`.
struct Token {
    directory: tempfile::TempDir,
    configuration: String,
}

impl Token {
    fn new() -> Option<Self> {
        let there = |program: &str| Command::new(program).arg("--help").output().is_ok();
        if !std::path::Path::new(MODULE).exists() || !there("softhsm2-util") || !there("pkcs11-tool") {
            println!("skipped: SoftHSM2 is not installed (Debian: softhsm2 opensc)");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let tokens = directory.path().join("tokens");
        fs::create_dir(&tokens).unwrap();
        let path = directory.path().join("softhsm2.conf");
        fs::write(&path, format!("directories.tokendir = {}\nobjectstore.backend = file\n", tokens.display())).unwrap();
        let configuration = path.to_str().unwrap().to_owned();
        let run = |program: &str, arguments: &str| {
            let output =
                Command::new(program).args(arguments.split(' ')).env("SOFTHSM2_CONF", &configuration).output().unwrap();
            assert!(output.status.success(), "{program}: {output:?}");
        };
        run("softhsm2-util", "--init-token --free --label app --so-pin 5678 --pin 1234");
        run(
            "pkcs11-tool",
            &format!("--module {MODULE} --token-label app -l -p 1234 --keygen --key-type AES:32 --label kek --id 02"),
        );
        Some(Self { directory, configuration })
    }
}
