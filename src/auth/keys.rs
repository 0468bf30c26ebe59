//! The node's signing keys on disk: drawn at the first start, kept beside the data, readable by their owner alone.
//!
//! A key file that others may read, or that holds a short key, stops the start (A1, A4). The key's name (`kid`) is a
//! hash of it, so a replaced key is never mistaken for the old one.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::{digest, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The fewest bytes of a signing key.
pub const KEY_BYTES_MIN: usize = 32;
/// The file, below the data folder, that holds the key of access tokens.
const ACCESS_KEY_FILE: &str = "secrets/access-token.key";

/// Why there is no usable key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read or made.
    #[error("the key file {path} cannot be used: {cause}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Others than the owner may read it.
    #[error("the key file {path} can be read by others (mode {mode:o}): run chmod 600 on it, or remove it to have a new key drawn")]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is too short, or no key at all.
    #[error("the key file {path} does not hold {KEY_BYTES_MIN} random bytes or more: remove it to have a new key drawn")]
    Weak {
        /// Which file.
        path: PathBuf,
    },
    /// No randomness to draw a key from.
    #[error("no random bytes to draw a key from")]
    NoRandomness,
}

/// A secret that signs one kind of token.
#[derive(Clone)]
pub struct SigningKey {
    bytes: Vec<u8>,
    kid: String,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.kid)
    }
}

impl SigningKey {
    /// A key of at least [`KEY_BYTES_MIN`] bytes; `None` for a shorter one, or one of a single repeated byte.
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        let varied = bytes.iter().any(|byte| Some(byte) != bytes.first());
        (bytes.len() >= KEY_BYTES_MIN && varied).then(|| {
            let hash = digest::digest(&digest::SHA256, &bytes);
            let kid = URL_SAFE_NO_PAD.encode(hash.as_ref().split_at(9).0);
            Self { bytes, kid }
        })
    }

    /// A fresh key.
    pub fn draw() -> Result<Self, KeyError> {
        let mut bytes = vec![0; KEY_BYTES_MIN];
        match rand::fill(&mut bytes) {
            Ok(()) => Self::new(bytes).ok_or(KeyError::NoRandomness),
            Err(_) => Err(KeyError::NoRandomness),
        }
    }

    /// The secret.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its public name, the `kid` of its tokens.
    pub fn kid(&self) -> &str {
        &self.kid
    }
}

/// The key of access tokens below this data folder; drawn, and durable, if there is none yet.
pub fn load_or_draw(data: &Path) -> Result<SigningKey, KeyError> {
    let path = data.join(ACCESS_KEY_FILE);
    let failed = |cause| KeyError::Io { path: path.clone(), cause };
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    match File::open(&path) {
        Ok(file) => read(&path, file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = SigningKey::draw()?;
            write(&path, &key).map_err(failed)?;
            Ok(key)
        }
        Err(error) => Err(failed(error)),
    }
}

fn read(path: &Path, mut file: File) -> Result<SigningKey, KeyError> {
    let failed = |cause| KeyError::Io { path: path.to_owned(), cause };
    let mode = file.metadata().map_err(failed)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(failed)?;
    let bytes = URL_SAFE_NO_PAD.decode(text.trim()).unwrap_or_default();
    SigningKey::new(bytes).ok_or_else(|| KeyError::Weak { path: path.to_owned() })
}

/// Written beside its place and moved there, so that a crash leaves a whole key or none.
fn write(path: &Path, key: &SigningKey) -> io::Result<()> {
    let draft = path.with_extension("draft");
    if draft.exists() {
        fs::remove_file(&draft)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    writeln!(file, "{}", URL_SAFE_NO_PAD.encode(key.bytes()))?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_drawn_once_and_found_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = load_or_draw(folder.path()).expect("drawn");
        let again = load_or_draw(folder.path()).expect("found");
        assert_eq!(first.bytes(), again.bytes());
        assert_eq!(first.kid(), again.kid());
        let mode = fs::metadata(folder.path().join(ACCESS_KEY_FILE)).expect("there").mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        load_or_draw(folder.path()).expect("drawn");
        let path = folder.path().join(ACCESS_KEY_FILE);
        for mode in [0o640, 0o604] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set");
            assert!(matches!(load_or_draw(folder.path()), Err(KeyError::Exposed { .. })));
        }
    }

    #[test]
    fn a_short_or_silly_key_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        load_or_draw(folder.path()).expect("drawn");
        let path = folder.path().join(ACCESS_KEY_FILE);
        for text in ["c2hvcnQ", "", "not base64 at all!", &URL_SAFE_NO_PAD.encode([7; 40]), &URL_SAFE_NO_PAD.encode([1; 31])] {
            fs::write(&path, text).expect("written");
            assert!(matches!(load_or_draw(folder.path()), Err(KeyError::Weak { .. })), "{text}");
        }
    }

    #[test]
    fn a_key_is_not_printed() {
        let key = SigningKey::draw().expect("drawn");
        assert!(!format!("{key:?}").contains(&URL_SAFE_NO_PAD.encode(key.bytes())));
    }
}
