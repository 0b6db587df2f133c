//! Encryption of the keys that the database holds. Knows nothing of their other settings.

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand::TryRng as _;
use rand::rngs::SysRng;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, TransactionBehavior, ffi, params};
use zeroize::Zeroizing;

use super::schema::Refusal;
use super::{StoreError, StoreErrorKind, added, connection, file};
use crate::error::Error;
use crate::key::Fingerprint;

const KEY_LENGTH: usize = 32;
const SALT_LENGTH: usize = 16;
const NONCE_LENGTH: usize = 24;
/// Sealed with the same key as the others, it shows whether a passphrase is the right one.
const PROOF: &[u8] = b"egb seal v1";

/// What keys that are added to the database are encrypted with ([`BalancerBuilder::seal`](crate::BalancerBuilder::seal)):
/// a passphrase, or a file with a key made at random.
///
/// Keys are sealed with XChaCha20-Poly1305, each with a nonce of its own and bound to its fingerprint. A passphrase
/// is made into a key by Argon2id with 64 MiB, 3 passes and 4 lanes, the second choice of
/// [RFC 9106, 4](https://www.rfc-editor.org/rfc/rfc9106#section-4), which takes some 0.1 s when a database is opened.
///
/// Labels, groups, weights and limits are not sealed, nor are fingerprints.
///
/// ```
/// use egb::{Balancer, Key, Seal};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("keys.db");
/// let balancer = Balancer::builder().key("test-key-1").db(&path).seal(Seal::passphrase("correct horse")).build()?;
/// balancer.add("test-key-2")?;
/// assert_eq!(balancer.stats().total(), 2);
/// # drop(balancer);
/// # assert!(Balancer::builder().db(&path).build().is_err());
/// # assert!(Balancer::builder().db(&path).seal(Seal::passphrase("correct horse")).build().is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Seal(Secret);

#[derive(Clone)]
enum Secret {
    Passphrase(Arc<Zeroizing<String>>),
    Key(Arc<Zeroizing<[u8; KEY_LENGTH]>>),
}

/// Shows which kind it is, and nothing of the secret.
impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seal({}, …)", self.0.kind())
    }
}

impl Secret {
    fn kind(&self) -> &'static str {
        match self {
            Self::Passphrase(_) => "passphrase",
            Self::Key(_) => "key file",
        }
    }
}

impl Seal {
    /// Seals with a passphrase: take a long one.
    pub fn passphrase(text: impl Into<String>) -> Self {
        Self(Secret::Passphrase(Arc::new(Zeroizing::new(text.into()))))
    }

    /// Seals with the key in a file that [`make_key_file`](Self::make_key_file) made: 64 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] with [`StoreErrorKind::KeyFile`] when it can't be read or is none.
    pub fn key_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let key = read_key(path).map_err(|error| key_file_error(path, error))?;
        file::warn_if_readable_by_others(path);
        Ok(Self(Secret::Key(Arc::new(key))))
    }

    /// Makes a file with a new key, readable by its owner alone, and seals with it. Keep a copy of it: without it
    /// the keys can't be opened.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] with [`StoreErrorKind::KeyFile`] when there is a file of that name, which stays as it is,
    /// or it can't be made.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("egb.key");
    /// let seal = egb::Seal::make_key_file(&path)?;
    /// let the_same = egb::Seal::key_file(&path)?;
    /// # assert!(egb::Seal::make_key_file(&path).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn make_key_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let key = Zeroizing::new(random::<KEY_LENGTH>().map_err(|kind| Arc::new(StoreError::new(path, kind)))?);
        write_key(path, &key).map_err(|error| key_file_error(path, error))?;
        Ok(Self(Secret::Key(Arc::new(key))))
    }

    /// Opens the seal of a database, or makes one and seals the keys that are in it.
    pub(super) fn attach(&self, connection: &mut Connection) -> Result<Sealer, Refusal> {
        let found = Parameters::read(connection)?;
        if let Some((kind, parameters, proof)) = found {
            return self.open(&kind, &parameters, &proof);
        }
        let parameters = Parameters::new()?;
        // Before the transaction, for it takes its time.
        let sealer = self.sealer(&parameters)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some((kind, parameters, proof)) = Parameters::read(&transaction)? {
            // Another process was faster. To open its seal takes its time, too.
            drop(transaction);
            return self.open(&kind, &parameters, &proof);
        }
        parameters.write(&transaction, self.0.kind(), &sealer.encrypt(PROOF, PROOF)?)?;
        added::seal_all(&transaction, &sealer)?;
        transaction.commit()?;
        connection::forget_log(connection);
        Ok(sealer)
    }

    /// Opens the seal of a database, if it has one.
    #[cfg(feature = "cli")]
    pub(super) fn opened(&self, connection: &Connection) -> Result<Option<Sealer>, Refusal> {
        let found = Parameters::read(connection)?;
        found.map(|(kind, parameters, proof)| self.open(&kind, &parameters, &proof)).transpose()
    }

    fn open(&self, kind: &str, parameters: &Parameters, proof: &[u8]) -> Result<Sealer, Refusal> {
        let wrong = Refusal::Kind(StoreErrorKind::WrongSeal);
        if kind != self.0.kind() {
            return Err(wrong);
        }
        let sealer = self.sealer(parameters)?;
        match sealer.decrypt(PROOF, proof) {
            Some(proof) if *proof == PROOF => Ok(sealer),
            _ => Err(wrong),
        }
    }

    fn sealer(&self, parameters: &Parameters) -> Result<Sealer, Refusal> {
        let mut key = Zeroizing::new([0; KEY_LENGTH]);
        match &self.0 {
            Secret::Key(given) => key.copy_from_slice(&given[..]),
            Secret::Passphrase(text) => {
                let argon = parameters.argon().ok_or_else(damaged)?;
                let made = argon.hash_password_into(text.as_bytes(), &parameters.salt, &mut key[..]);
                made.map_err(|_| damaged())?;
            }
        }
        Ok(Sealer(XChaCha20Poly1305::new_from_slice(&key[..]).expect("32 bytes are a key")))
    }
}

/// The row of the table `seal` makes no sense.
fn damaged() -> Refusal {
    let message = Some("the row that says how keys are sealed makes no sense".to_owned());
    Refusal::Sqlite(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), message))
}

fn random<const N: usize>() -> Result<[u8; N], StoreErrorKind> {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes).map_err(|_| StoreErrorKind::NoRandomness)?;
    Ok(bytes)
}

/// How a passphrase becomes a key.
struct Parameters {
    salt: Vec<u8>,
    /// In KiB.
    memory: u32,
    passes: u32,
    lanes: u32,
}

impl Parameters {
    /// More than any egb asks for; a damaged row must not make this one take all memory.
    const MOST: Self = Self { salt: Vec::new(), memory: 1 << 20, passes: 64, lanes: 64 };

    fn new() -> Result<Self, Refusal> {
        let salt = random::<SALT_LENGTH>()?.to_vec();
        Ok(Self { salt, memory: 1 << 16, passes: 3, lanes: 4 })
    }

    fn argon(&self) -> Option<Argon2<'static>> {
        let most = Self::MOST;
        if self.memory > most.memory || self.passes > most.passes || self.lanes > most.lanes {
            return None;
        }
        let params = Params::new(self.memory, self.passes, self.lanes, Some(KEY_LENGTH)).ok()?;
        Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }

    /// The kind of the secret, the parameters and the proof of a database that has a seal.
    fn read(connection: &Connection) -> rusqlite::Result<Option<(String, Self, Vec<u8>)>> {
        let read = |row: &Row<'_>| {
            let parameters = Self { salt: row.get(1)?, memory: row.get(2)?, passes: row.get(3)?, lanes: row.get(4)? };
            Ok((row.get(0)?, parameters, row.get(5)?))
        };
        connection.query_one("SELECT kind, salt, memory, passes, lanes, proof FROM seal", [], read).optional()
    }

    fn write(&self, transaction: &Transaction<'_>, kind: &str, proof: &[u8]) -> rusqlite::Result<()> {
        let sql =
            "INSERT INTO seal (only, kind, salt, memory, passes, lanes, proof) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)";
        transaction.execute(sql, params![kind, self.salt, self.memory, self.passes, self.lanes, proof])?;
        Ok(())
    }
}

/// Seals and opens keys. Its own key is wiped from memory when it is dropped.
pub(super) struct Sealer(XChaCha20Poly1305);

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(…)")
    }
}

impl Sealer {
    /// A nonce, and the key encrypted and bound to its fingerprint: no other row can take its place.
    pub(super) fn seal(&self, fingerprint: Fingerprint, key: &str) -> Result<Vec<u8>, StoreErrorKind> {
        self.encrypt(fingerprint.as_bytes(), key.as_bytes())
    }

    /// `None` for what was not sealed here, and for this fingerprint.
    pub(super) fn open(&self, fingerprint: Fingerprint, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.decrypt(fingerprint.as_bytes(), sealed)
    }

    fn encrypt(&self, bound_to: &[u8], text: &[u8]) -> Result<Vec<u8>, StoreErrorKind> {
        let nonce = random::<NONCE_LENGTH>()?;
        let payload = Payload { msg: text, aad: bound_to };
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload).expect("a key is shorter than 256 GB");
        Ok([&nonce[..], &sealed].concat())
    }

    fn decrypt(&self, bound_to: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LENGTH>()?;
        let payload = Payload { msg: text, aad: bound_to };
        self.0.decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
    }
}

fn key_file_error(path: &Path, error: io::Error) -> Error {
    Arc::new(StoreError::new(path, StoreErrorKind::KeyFile(error))).into()
}

fn read_key(path: &Path) -> io::Result<Zeroizing<[u8; KEY_LENGTH]>> {
    let text = Zeroizing::new(fs::read(path)?);
    let (pairs, rest) = text.trim_ascii().as_chunks::<2>();
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |&[high, low]: &[u8; 2]| Some(16 * digit(high)? + digit(low)?);
    let bytes: Option<Zeroizing<Vec<u8>>> = pairs.iter().map(byte).collect::<Option<Vec<u8>>>().map(Zeroizing::new);
    let key = bytes.filter(|_| rest.is_empty()).and_then(|bytes| bytes.as_slice().try_into().ok().map(Zeroizing::new));
    key.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it does not hold 64 hexadecimal digits"))
}

fn write_key(path: &Path, key: &[u8; KEY_LENGTH]) -> io::Result<()> {
    let mut text = Zeroizing::new(String::with_capacity(2 * KEY_LENGTH + 1));
    for byte in key {
        fmt::Write::write_fmt(&mut *text, format_args!("{byte:02x}")).expect("a String takes all");
    }
    text.push('\n');
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a key is none; a later attempt finds no file in its way.
        let _ = fs::remove_file(path);
    }
    written
}

#[cfg(test)]
mod tests;
