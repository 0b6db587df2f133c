//! The secret: one API key, redacted wherever it could be printed. Knows nothing of pools or health.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use text::Text;
use triomphe::{Arc, UniqueArc};
use zeroize::Zeroizing;

mod text;

/// Shorter keys are masked whole: eight shown characters would give too much of them away.
const MASK_WHOLE_BELOW: usize = 16;
const SHOWN_AT_EACH_END: usize = 4;

/// One API key.
///
/// Cloning copies a pointer. `Debug` shows the first and last four characters of a key of at least
/// 16 and nothing of a shorter one; there is no `Display`, so that a key never slips into a
/// formatted string. The text is read with [`expose_secret`](Key::expose_secret) and wiped from
/// memory when the last clone is dropped. Keys compare in constant time.
///
/// ```
/// let key = egb::Key::from("AIzaSyExample_0123456789");
/// assert_eq!(format!("{key:?}"), "Key(AIza…6789)");
/// assert_eq!(key.expose_secret(), "AIzaSyExample_0123456789");
/// ```
#[derive(Clone)]
pub struct Key(Arc<Secret>);

/// With the count of its clones it takes 72 bytes, and is all there is of a key of usual length.
struct Secret {
    fingerprint: Fingerprint,
    text: Text,
}

impl Key {
    fn new(text: &str) -> Self {
        let fingerprint = Fingerprint::of(text);
        // The text is written where it stays: a secret that is moved leaves copies on the stack.
        let mut secret = UniqueArc::new(Secret { fingerprint, text: Text::default() });
        secret.text.fill(text);
        Self(secret.shareable())
    }

    /// A key of which only the name is known. It is masked whole, and no call gets it.
    #[cfg(feature = "cli")]
    pub(crate) fn without_text(fingerprint: Fingerprint) -> Self {
        Self(Arc::new(Secret { fingerprint, text: Text::default() }))
    }

    /// Whether it can be used: all keys have a text but those [`without_text`](Self::without_text).
    pub(crate) fn has_text(&self) -> bool {
        !self.0.text.as_str().is_empty()
    }

    /// The key itself, to be handed to the API and to nothing else.
    pub fn expose_secret(&self) -> &str {
        self.0.text.as_str()
    }

    /// A stable name for the key that does not reveal it.
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.fingerprint
    }

    /// What may be shown of the key: `AIza…6789`, or `…` for a key of fewer than 16 characters.
    pub fn masked(&self) -> String {
        let text = self.expose_secret();
        if text.chars().count() < MASK_WHOLE_BELOW {
            return "…".to_owned();
        }
        let head = text.chars().take(SHOWN_AT_EACH_END);
        let tail = text.chars().skip(text.chars().count() - SHOWN_AT_EACH_END);
        head.chain(std::iter::once('…')).chain(tail).collect()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.masked())
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        // Copied and wiped, as a string may have room to spare, which would be kept.
        Self::new(&Zeroizing::new(text))
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<&Key> for Key {
    fn from(key: &Key) -> Self {
        key.clone()
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        let is_same_text: bool = self.expose_secret().as_bytes().ct_eq(other.expose_secret().as_bytes()).into();
        is_same_text && self.0.fingerprint == other.0.fingerprint
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.fingerprint.hash(state);
    }
}

/// A type that is made from one key: a ready API client, for instance. With it, a parameter of a
/// `#[balanced]` function that is marked `#[key]` (or named `key`) can have that type.
///
/// ```
/// use egb::{Balancer, Error, FromKey, Key, balanced};
///
/// struct Gemini {
///     key: Key,
///     base: &'static str,
/// }
///
/// impl FromKey for Gemini {
///     fn from_key(key: &Key) -> Self {
///         Self { key: key.clone(), base: "https://generativelanguage.googleapis.com" }
///     }
/// }
///
/// #[balanced]
/// fn models(#[key] gemini: Gemini, version: &str) -> Result<String, Error> {
///     // ... a request with `gemini.key` ...
///     Ok(format!("{}/{version}/models", gemini.base))
/// }
/// #
/// # let balancer = Balancer::builder().key("test-key").build()?;
/// # let _entered = balancer.enter();
/// # assert!(models("v1beta")?.ends_with("v1beta/models"));
/// # Ok::<(), Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not made from a key",
    note = "implement `egb::FromKey` for it: `fn from_key(key: &egb::Key) -> Self`"
)]
pub trait FromKey: Sized {
    /// Makes one, for one call.
    fn from_key(key: &Key) -> Self;
}

/// A key's name in the database, in logs and in statistics: the first 16 bytes of a SHA-256 over
/// the key. The same key has the same fingerprint on every machine and in every version of egb.
///
/// It can't be turned back into a key that was made at random, as providers make them; a key that
/// can be guessed can be found by trying.
///
/// ```
/// let key = egb::Key::from("AIzaSyExample_0123456789");
/// assert_eq!(key.fingerprint().to_string().len(), 32);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    fn of(text: &str) -> Self {
        // The prefix keeps the value apart from any plain SHA-256 of the key that others may store.
        Self::digest(b"egb key fingerprint v1\0", text)
    }

    /// The name by which a store knows a group of keys.
    pub(crate) fn of_group(name: &str) -> Self {
        Self::digest(b"egb key group v1\0", name)
    }

    fn digest(prefix: &[u8], text: &str) -> Self {
        let digest = Sha256::new().chain_update(prefix).chain_update(text).finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(bytes)
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// A map by fingerprint. A fingerprint is a hash, and needs no other.
pub(crate) type ByFingerprint<V> = HashMap<Fingerprint, V, BuildHasherDefault<FirstBytes>>;

/// As [`ByFingerprint`], a set.
pub(crate) type Fingerprints = HashSet<Fingerprint, BuildHasherDefault<FirstBytes>>;

/// Takes the first eight bytes of what is hashed for the hash.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    // The length, which is the same for all.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn debug_shows_the_ends_of_a_long_key_and_nothing_of_a_short_one() {
        assert_eq!(format!("{:?}", Key::from("abcdefghijklmnop")), "Key(abcd…mnop)");
        assert_eq!(format!("{:?}", Key::from("abcdefghijklmno")), "Key(…)");
        assert_eq!(format!("{:?}", Key::from("")), "Key(…)");
        assert_eq!(format!("{:#?}", Key::from("abcdefghijklmno")), "Key(…)");
    }

    #[test]
    fn masking_counts_characters_and_not_bytes() {
        assert_eq!(Key::from("ключключ").masked(), "…");
        assert_eq!(Key::from("ключ🔑🔑🔑🔑🔑🔑🔑🔑ключ").masked(), "ключ…ключ");
    }

    #[test]
    fn equal_keys_have_equal_fingerprints_and_others_do_not() {
        assert_eq!(Key::from("a"), Key::from("a".to_owned()));
        assert_ne!(Key::from("a"), Key::from("b"));
        assert_ne!(Key::from("a"), Key::from("ab"));
        assert_eq!(Key::from("a").fingerprint(), Key::from("a").fingerprint());
        assert_ne!(Key::from("a").fingerprint(), Key::from("b").fingerprint());
    }

    #[cfg(feature = "cli")]
    #[test]
    fn keys_without_text_are_told_apart_by_their_names() {
        let of = |text: &str| Key::without_text(Key::from(text).fingerprint());
        assert_eq!(of("a"), of("a"));
        assert_ne!(of("a"), of("b"));
        assert_ne!(of("a"), Key::from("a"));
        assert!(!of("a").has_text() && of("a").masked() == "…");
    }

    #[test]
    fn a_key_of_any_length_is_itself() {
        let texts = ["", "a", "ключ", &"x".repeat(39), &"y".repeat(40), &"y".repeat(41), &"ж🔑".repeat(200)];
        let hash = |key: &Key| BuildHasherDefault::<std::hash::DefaultHasher>::default().hash_one(key);
        for (at, text) in texts.into_iter().enumerate() {
            let key = Key::from(text);
            assert_eq!((key.expose_secret(), key.has_text()), (text, !text.is_empty()));
            assert_eq!(key.fingerprint(), Fingerprint::of(text));
            for (other_at, other) in texts.map(Key::from).iter().enumerate() {
                assert_eq!((key == *other, hash(&key) == hash(other)), (at == other_at, at == other_at));
            }
        }
    }

    #[test]
    fn a_key_takes_a_pointer_and_a_secret_of_64_bytes() {
        assert_eq!((size_of::<Key>(), size_of::<Option<Key>>()), (size_of::<usize>(), size_of::<usize>()));
        assert_eq!(size_of::<Secret>(), 64);
    }

    #[test]
    fn a_key_goes_wherever_a_text_may_go() {
        fn goes_anywhere<T: Send + Sync + Unpin + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
        goes_anywhere::<Key>();
    }

    #[test]
    fn the_fingerprint_never_changes() {
        // Databases in the field know keys by this value.
        assert_eq!(
            Key::from("AIzaSyFAKE_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa").fingerprint().to_string(),
            "19fd7846787051d9cf4cc3352dcb75b7"
        );
    }
}
