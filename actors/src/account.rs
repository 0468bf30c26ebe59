//! Who can speak: the account, the logins that began with it, and the rules of their texts.
//!
//! Usernames are compared exactly, e-mail addresses without regard to case and shown as given.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use crate::content::AboutText;
use crate::id::{Door, LoginId, UserId};
use crate::media::{MediaId, MediaKind};
use crate::time::Timestamp;

/// The most characters of a username or of a name.
pub const NAME_CHARS_MAX: usize = 150;
/// The most characters of an e-mail address.
pub const EMAIL_CHARS_MAX: usize = 254;
/// The fewest characters of a password.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// The most bytes of a password: more would make the hash a way to burn CPU.
pub const PASSWORD_BYTES_MAX: usize = 1_024;

/// Which field of an account a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccountField {
    /// The username.
    Username,
    /// The e-mail address.
    Email,
    /// The password.
    Password,
    /// The display name.
    Name,
}

/// Letters, digits and `@ . + - _`, 1 to 150 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Username(Box<str>);

impl Username {
    /// A username; `None` if the text is none.
    pub fn new(text: &str) -> Option<Self> {
        let allowed = |c: char| c.is_alphanumeric() || "@.+-_".contains(c);
        let count = text.chars().count();
        ((1..=NAME_CHARS_MAX).contains(&count) && text.chars().all(allowed)).then(|| Self(text.into()))
    }
    /// The username.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// What stands in place of the username of a deleted account.
    pub fn of_deleted(id: UserId) -> Self {
        Self(format!("deleted-{}", id.get()).into())
    }
    /// Whether it is of the form that deleted accounts have: nobody else may have one.
    pub fn is_of_deleted(&self) -> bool {
        let number = self.0.get(..8).filter(|start| start.eq_ignore_ascii_case("deleted-")).and_then(|_| self.0.get(8..));
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    }
}

/// An e-mail address: one `@` with something on both sides, a dot in the domain, no blanks, at most 254 characters.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email(Box<str>);

impl Email {
    /// An address; `None` if the text is none.
    pub fn new(text: &str) -> Option<Self> {
        let (local, domain) = text.rsplit_once('@')?;
        let plain = text.chars().all(|c| !c.is_whitespace() && !c.is_control());
        let dotted = domain.split('.').count() > 1 && domain.split('.').all(|label| !label.is_empty());
        (plain && dotted && !local.is_empty() && !local.contains('@') && text.chars().count() <= EMAIL_CHARS_MAX).then(|| Self(text.into()))
    }
    /// The address as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// What stands in place of the address of a deleted account: no mail reaches it.
    pub fn of_deleted(id: UserId) -> Self {
        Self(format!("deleted-{}@deleted.invalid", id.get()).into())
    }
    /// The form that is compared and must be unique.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email([redacted])")
    }
}

/// A name as people show it: at most 150 characters, no control characters; may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct DisplayName(Box<str>);

impl DisplayName {
    /// A name; `None` if the text is too long or has control characters.
    pub fn new(text: &str) -> Option<Self> {
        (text.chars().count() <= NAME_CHARS_MAX && !text.chars().any(char::is_control)).then(|| Self(text.into()))
    }
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is typed in to prove who one is; never stored, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Box<str>);

impl Password {
    /// A password for a new account: at least 8 characters, at most 1,024 bytes.
    pub fn new(text: &str) -> Option<Self> {
        (text.chars().count() >= PASSWORD_CHARS_MIN && text.len() <= PASSWORD_BYTES_MAX).then(|| Self(text.into()))
    }
    /// A password that is only to be compared: any text, cut where it could not match anyway.
    pub fn given(text: &str) -> Self {
        Self(text.chars().take(PASSWORD_BYTES_MAX + 1).collect())
    }
    /// The text, for the hash alone.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password([redacted])")
    }
}

/// A password's hash with its parameters, in PHC text form.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub Box<str>);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash([redacted])")
    }
}

/// Whom something is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Everyone whom it can concern.
    Everyone,
    /// Friends.
    Friends,
    /// Nobody.
    Nobody,
}

/// What a user shows of himself, and what others may do to him unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Privacy {
    /// Who may see whether the user is here, and when he last was.
    pub presence: Audience,
    /// Whether others are told how far the user has read. Own unread counts work all the same.
    pub receipts: bool,
    /// Whether a search by the start of a name finds the user. The whole username always does.
    pub searchable: bool,
    /// Who may make the user a member of a group without an invitation.
    pub groups: Audience,
}

impl Default for Privacy {
    fn default() -> Self {
        Self { presence: Audience::Everyone, receipts: true, searchable: true, groups: Audience::Everyone }
    }
}

/// Whether an account may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It may.
    Active,
    /// Its owner has closed it for now; a login opens it again.
    Deactivated,
    /// An operator has closed it.
    Banned,
    /// It is gone: its number, and what it wrote, stay without its names.
    Deleted,
}

/// A user's or a group's picture: a file, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    /// Which file.
    pub id: MediaId,
    /// What it is; pictures are always images.
    pub kind: MediaKind,
}

/// A picture is known by its file: so a request that names one can be compared with the entry that it was stored as.
impl Hash for Picture {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

/// The stored record of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The number.
    pub id: UserId,
    /// The unique name.
    pub username: Username,
    /// The unique address.
    pub email: Email,
    /// The name as people show it.
    pub name: DisplayName,
    /// The first name; may be empty.
    pub first_name: DisplayName,
    /// The last name; may be empty.
    pub last_name: DisplayName,
    /// What the user says of himself; may be empty.
    pub about: AboutText,
    /// The picture.
    pub picture: Option<Picture>,
    /// What the user shows of himself.
    pub privacy: Privacy,
    /// The password's hash; `None` for an account that cannot log in by password (made by import).
    pub password: Option<PasswordHash>,
    /// Whether the account may be used.
    pub standing: Standing,
    /// Whether the user may change other accounts, where a door has that.
    pub staff: bool,
    /// Whether the account is deleted and not everything that goes with it is gone yet.
    pub erasing: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its owner last changed it.
    pub updated_at: Timestamp,
}

impl Account {
    /// A fresh account.
    pub fn new(id: UserId, username: Username, email: Email, name: DisplayName, password: Option<PasswordHash>, now: Timestamp) -> Self {
        Self {
            id,
            username,
            email,
            name,
            first_name: DisplayName::default(),
            last_name: DisplayName::default(),
            about: AboutText::default(),
            picture: None,
            privacy: Privacy::default(),
            password,
            standing: Standing::Active,
            staff: false,
            erasing: false,
            created_at: now,
            updated_at: now,
        }
    }

    /// What is left of it once it is deleted: its number, and that there is something to erase still.
    #[must_use]
    pub fn deleted(&self, now: Timestamp) -> Self {
        let (username, email) = (Username::of_deleted(self.id), Email::of_deleted(self.id));
        Self {
            standing: Standing::Deleted,
            erasing: true,
            created_at: self.created_at,
            ..Self::new(self.id, username, email, DisplayName::default(), None, now)
        }
    }

    /// Whether it may be used, and others may find it.
    pub fn is_active(&self) -> bool {
        self.standing == Standing::Active
    }
}

/// When a user was last here, and last logged in. Rows of their own, so that coming and going does not change accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// The end of the last session, or its beginning while none has ended.
    pub here: Option<Timestamp>,
    /// The last login.
    pub login: Option<Timestamp>,
}

/// A hash of a refresh token: the token itself is never stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RefreshHash(pub [u8; 32]);

impl fmt::Debug for RefreshHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshHash([redacted])")
    }
}

/// What one signup or login began (the refresh-token family). It ends by logout, by expiry, or when a used refresh
/// token comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Its identity; the `sid` of its access tokens.
    pub id: LoginId,
    /// Whose it is.
    pub user: UserId,
    /// The refresh token in force.
    pub refresh: RefreshHash,
    /// The last one that was used up while it was in force, and when: for a few seconds it is taken as a repetition, later
    /// as theft. Each repetition draws the token in force anew; the one drawn before it counts as used.
    pub replaced: Option<(RefreshHash, Timestamp)>,
    /// When it began.
    pub created_at: Timestamp,
    /// When its refresh token dies.
    pub expires_at: Timestamp,
    /// When it was ended, if it was.
    pub ended_at: Option<Timestamp>,
    /// When it last drew an access token.
    pub used_at: Timestamp,
    /// What the client said of its device, for its owner to recognise it: at most 128 bytes, may be empty.
    pub device: Box<str>,
    /// The door that it began at.
    pub door: Door,
}

/// The most bytes of what a client says of its device.
pub const DEVICE_BYTES_MAX: usize = 128;

/// Where a login comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Device {
    /// What the client says of itself.
    says: Box<str>,
    /// The door that it came in by.
    pub door: Door,
}

impl Device {
    /// A device that says this of itself: control characters are left out, what is beyond 128 bytes is cut off.
    pub fn new(says: &str, door: Door) -> Self {
        let mut kept = String::new();
        for c in says.trim().chars().filter(|c| !c.is_control()) {
            if kept.len() + c.len_utf8() > DEVICE_BYTES_MAX {
                break;
            }
            kept.push(c);
        }
        Self { says: kept.into(), door }
    }
    /// What the client says of itself; may be empty.
    pub fn says(&self) -> &str {
        &self.says
    }
}

/// For how long the immediately preceding refresh token is taken as a repetition rather than as theft (A5).
pub const REFRESH_GRACE: Duration = Duration::from_secs(10);

/// What a refresh token that was presented means for its login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshVerdict {
    /// It is the one in force: rotate.
    Current,
    /// It was in force a moment ago (two tabs, a lost answer): rotate again.
    JustReplaced,
    /// It was used before: somebody else may hold it. The whole login ends.
    Reused,
    /// The login has ended or expired, or the token is none of its.
    Invalid,
}

impl Login {
    /// Judges a presented refresh token. Any token of this login that is neither the current one nor the one just
    /// replaced counts as reused: the token names its login and only we draw such tokens.
    pub fn judge(&self, presented: RefreshHash, now: Timestamp) -> RefreshVerdict {
        if self.ended_at.is_some() || now >= self.expires_at {
            return RefreshVerdict::Invalid;
        }
        if presented == self.refresh {
            return RefreshVerdict::Current;
        }
        match self.replaced {
            Some((hash, at)) if hash == presented && now.since(at) <= REFRESH_GRACE => RefreshVerdict::JustReplaced,
            _ => RefreshVerdict::Reused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_hold_letters_digits_and_five_signs() {
        for good in ["a", "Ann-Marie_7", "x@y.z+1", "élan"] {
            assert!(Username::new(good).is_some(), "{good}");
        }
        for bad in ["", "a b", "a/b", "a\n", "<b>"] {
            assert!(Username::new(bad).is_none(), "{bad:?}");
        }
        assert!(Username::new(&"x".repeat(NAME_CHARS_MAX)).is_some());
        assert!(Username::new(&"x".repeat(NAME_CHARS_MAX + 1)).is_none());
    }

    #[test]
    fn an_address_needs_a_local_part_and_a_dotted_domain() {
        for good in ["a@b.c", "Ann+x@mail.example.org"] {
            assert!(Email::new(good).is_some(), "{good}");
        }
        for bad in ["", "a", "a@", "@b.c", "a@b", "a@b..c", "a b@c.d", "a@b@c.d", "a@.c"] {
            assert!(Email::new(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn nobody_may_be_called_like_a_deleted_account() {
        let id = UserId::new(17).expect("valid");
        assert_eq!(Username::of_deleted(id).as_str(), "deleted-17");
        for (text, reserved) in
            [("deleted-17", true), ("Deleted-17", true), ("deleted-", false), ("deleted-x", false), ("deleted", false), ("élanélan", false)]
        {
            assert_eq!(Username::new(text).map(|username| username.is_of_deleted()), Some(reserved), "{text}");
        }
        assert!(Username::of_deleted(id).is_of_deleted());
    }

    #[test]
    fn a_device_says_at_most_128_bytes() {
        assert_eq!(Device::new(" Firefox\n7 ", Door(1)).says(), "Firefox7");
        assert_eq!(Device::new(&"x".repeat(128), Door(1)).says().len(), 128);
        assert_eq!(Device::new(&"x".repeat(129), Door(1)).says().len(), 128);
        assert_eq!(Device::new(&"é".repeat(90), Door(1)).says(), "é".repeat(64));
        assert_eq!(Device::new(&format!("x{}", "é".repeat(90)), Door(1)).says().len(), 127, "no character is cut in two");
    }

    #[test]
    fn nothing_is_left_of_a_deleted_account_but_its_number() {
        let id = UserId::new(17).expect("valid");
        let (username, email) = (Username::new("ann").expect("valid"), Email::new("ann@example.org").expect("valid"));
        let name = DisplayName::new("Ann").expect("valid");
        let account = Account {
            about: AboutText::new("secret").expect("valid"),
            staff: true,
            ..Account::new(id, username, email, name, Some(PasswordHash("x".into())), Timestamp(1))
        };
        let left = account.deleted(Timestamp(2));
        let empty = Account::new(id, Username::of_deleted(id), Email::of_deleted(id), DisplayName::default(), None, Timestamp(2));
        assert_eq!(left, Account { standing: Standing::Deleted, erasing: true, created_at: Timestamp(1), ..empty });
    }

    #[test]
    fn a_refresh_token_used_again_later_is_theft() {
        let hash = |byte| RefreshHash([byte; 32]);
        let at = |seconds: i64| Timestamp(seconds * 1_000_000);
        let login = Login {
            id: LoginId(1),
            user: UserId::new(1).expect("valid"),
            refresh: hash(3),
            replaced: Some((hash(2), at(100))),
            created_at: at(0),
            expires_at: at(1_000),
            ended_at: None,
            used_at: at(0),
            device: "".into(),
            door: Door::default(),
        };
        assert_eq!(login.judge(hash(3), at(101)), RefreshVerdict::Current);
        assert_eq!(login.judge(hash(2), at(110)), RefreshVerdict::JustReplaced);
        assert_eq!(login.judge(hash(2), at(111)), RefreshVerdict::Reused);
        assert_eq!(login.judge(hash(1), at(101)), RefreshVerdict::Reused);
        assert_eq!(login.judge(hash(3), at(1_000)), RefreshVerdict::Invalid);
        let ended = Login { ended_at: Some(at(5)), ..login };
        assert_eq!(ended.judge(hash(3), at(101)), RefreshVerdict::Invalid);
    }
}
