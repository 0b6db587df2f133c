use super::*;
use crate::KeyConfig;
use crate::store::{Edit, Sqlite, Store as _};

fn open(path: &Path, seal: Option<&Seal>) -> Result<Sqlite, StoreError> {
    Sqlite::open_for(path, &[], seal)
}

fn keys(store: &mut Sqlite) -> Result<Vec<KeyConfig>, StoreError> {
    store.added_keys().map(Option::unwrap_or_default)
}

fn kind<T: fmt::Debug>(result: Result<T, StoreError>) -> StoreErrorKind {
    result.unwrap_err().kind
}

/// Whether any file of the folder holds the text.
fn is_in(folder: &Path, text: &str) -> bool {
    let files = fs::read_dir(folder).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
    files.into_iter().any(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
}

const TEXT: &str = "test-key-of-some-length";

fn both_kinds(folder: &Path) -> [Seal; 2] {
    [Seal::passphrase("correct horse battery staple"), Seal::make_key_file(folder.join("egb.key")).unwrap()]
}

#[test]
fn a_sealed_key_is_in_no_file_and_opens_with_the_same_secret() {
    for at in 0..2 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.db");
        let seal = &both_kinds(folder.path())[at];
        let mut store = open(&path, Some(seal)).unwrap();
        let config = KeyConfig::new(TEXT).weight(2.5).label("spare").group("one").rpm(1).rpd(2).tpm(3).concurrency(4);
        store.edit(&Edit::Add(vec![config.clone()])).unwrap();
        assert_eq!(keys(&mut store).unwrap(), std::slice::from_ref(&config));
        assert!(!is_in(folder.path(), TEXT), "the log is there still");
        drop(store);
        assert!(!is_in(folder.path(), TEXT));
        assert_eq!(keys(&mut open(&path, Some(seal)).unwrap()).unwrap(), [config]);
    }
}

#[test]
fn keys_in_the_clear_are_sealed_when_a_seal_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.db");
    let seal = Seal::passphrase("correct horse");
    open(&path, None).unwrap().edit(&Edit::Add(vec![TEXT.into(), "test-key-2-for-all".into()])).unwrap();
    assert!(is_in(folder.path(), TEXT));
    let mut sealed = open(&path, Some(&seal)).unwrap();
    assert!(!is_in(folder.path(), TEXT), "neither in free pages nor in the log");
    assert_eq!(keys(&mut sealed).unwrap(), [TEXT.into(), "test-key-2-for-all".into()]);
}

#[test]
fn another_secret_or_none_does_not_open_the_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.db");
    let [passphrase, key_file] = both_kinds(folder.path());
    open(&path, Some(&passphrase)).unwrap().edit(&Edit::Add(vec![TEXT.into()])).unwrap();
    for wrong in [Seal::passphrase("correct horses"), Seal::passphrase(""), key_file] {
        assert!(matches!(kind(open(&path, Some(&wrong))), StoreErrorKind::WrongSeal));
    }
    let mut without = open(&path, None).unwrap();
    assert!(matches!(kind(keys(&mut without)), StoreErrorKind::Sealed));
    assert!(matches!(kind(without.edit(&Edit::Add(vec!["other".into()]))), StoreErrorKind::Sealed));
    without.load().expect("the state is there without it");
    assert_eq!(keys(&mut open(&path, Some(&passphrase)).unwrap()).unwrap(), [TEXT.into()], "and nothing was changed");
}

#[test]
fn a_row_that_was_exchanged_or_damaged_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.db");
    let seal = Seal::passphrase("correct horse");
    open(&path, Some(&seal)).unwrap().edit(&Edit::Add(vec!["a".into(), "b".into(), "c".into()])).unwrap();
    let connection = Connection::open(&path).unwrap();
    let name = |text: &str| *crate::Key::from(text).fingerprint().as_bytes();
    let secret =
        "UPDATE added_keys SET secret = (SELECT secret FROM added_keys WHERE fingerprint = ?1) WHERE fingerprint = ?2";
    connection.execute(secret, [name("a"), name("b")]).unwrap();
    connection.execute("UPDATE added_keys SET secret = x'00' WHERE fingerprint = ?1", [name("c")]).unwrap();
    assert_eq!(keys(&mut open(&path, Some(&seal)).unwrap()).unwrap(), ["a".into()]);
}

#[test]
fn parameters_that_would_take_all_memory_are_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.db");
    let seal = Seal::passphrase("correct horse");
    drop(open(&path, Some(&seal)).unwrap());
    for (column, value) in [("memory", 1 << 21), ("memory", 0), ("passes", 65), ("lanes", 1000), ("lanes", -1)] {
        let connection = Connection::open(&path).unwrap();
        connection.execute(&format!("UPDATE seal SET {column} = ?1"), [value]).unwrap();
        assert!(matches!(kind(open(&path, Some(&seal))), StoreErrorKind::Corrupt(_)), "{column} = {value}");
        connection.execute_batch("UPDATE seal SET memory = 65536, passes = 3, lanes = 4").unwrap();
    }
    open(&path, Some(&seal)).unwrap();
}

#[test]
fn two_that_seal_at_once_agree() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.db");
    open(&path, None).unwrap().edit(&Edit::Add(vec![TEXT.into()])).unwrap();
    let seal = Seal::passphrase("correct horse");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(keys(&mut open(&path, Some(&seal)).unwrap()).unwrap(), [TEXT.into()]));
        }
    });
}

#[test]
fn a_key_file_is_made_once_for_its_owner_and_read_in_either_case() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("egb.key");
    let Secret::Key(made) = Seal::make_key_file(&path).unwrap().0 else { panic!("a key") };
    let text = fs::read_to_string(&path).unwrap();
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
    assert!(Seal::make_key_file(&path).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    fs::write(&path, text.to_uppercase()).unwrap();
    let Secret::Key(read) = Seal::key_file(&path).unwrap().0 else { panic!("a key") };
    assert_eq!(**read, **made);
}

#[test]
fn what_is_no_key_file_is_refused_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("egb.key");
    for text in ["", "00", &"0".repeat(63), &"0".repeat(65), &"0".repeat(66), &"g".repeat(64), &"é".repeat(32)] {
        fs::write(&path, text).unwrap();
        let error = Seal::key_file(&path).unwrap_err().to_string();
        assert!(error.contains("egb.key") && error.contains("64 hexadecimal digits"), "{error}");
        assert!(text.len() < 60 || !error.contains(text), "{error}");
    }
    assert!(Seal::key_file(folder.path().join("none")).unwrap_err().to_string().contains("make_key_file"));
}

#[test]
fn debug_shows_no_secret() {
    assert_eq!(format!("{:?}", Seal::passphrase("correct horse")), "Seal(passphrase, …)");
}
