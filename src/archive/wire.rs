//! The lines of an export, format 2, and what each means in the domain's words. Format 1 is a part of it: it had fewer
//! sections, and fields that may be left out were not there.
//! The lines of an export, format 2, and what each means in the domain's words.
//!
//! Every line is one JSON object with one member, whose name says what the line is. Fields are never left out unless
//! they say nothing, and unknown ones are refused: a later format has a later number.

#![warn(clippy::indexing_slicing, clippy::string_slice, clippy::arithmetic_side_effects)]

use std::borrow::Cow;

use actors::account::{Account, Audience, DisplayName, Email, Login, PasswordHash, Privacy, RefreshHash, Standing, Username};
use actors::archive::{Record, Section};
use actors::content::{AboutText, ClientKey, GroupName};
use actors::entry::{Entry, GroupRow, Head, Membership, Role};
use actors::id::{
    BatchId, Bucket, ConversationId, Door, Epoch, GroupId, Incarnation, LogId, LoginId, MessageId, Pos, Segment, Seq, UserId,
};
use actors::media::{Attachment, FILE_NAME_BYTES_MAX, Media, MediaId, MediaKind, Purpose};
use actors::store::{Mark, Marks, Sequence, Versioned};
use actors::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::act::{ActLine, PictureLine, act, act_line, picture, picture_line};
use super::rows;
use super::rows::{
    AmendmentLine, BondLine, DirectLine, GoneLine, HiddenLine, InvitationLine, NoticesReadLine, PreferencesLine, ReactionsLine, SeenLine,
    StandingNoticeLine,
};

/// The number of this format.
pub const FORMAT: u64 = 2;

/// The sections of a format, in their order; each later one has more at its end.
pub(super) fn sections(format: u64) -> Vec<Section> {
    let of_format_1 = |section: &Section| *section <= Section::Marks;
    Section::ALL.into_iter().filter(|section| format > 1 || of_format_1(section)).collect()
}

/// A field holds what it must not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the field `{0}` is not valid")]
pub struct Invalid(pub &'static str);

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line<'a> {
    #[serde(rename = "parlance_export")]
    Header(HeaderLine<'a>),
    #[serde(borrow)]
    Section(Cow<'a, str>),
    Sequence(SequenceLine),
    #[serde(borrow)]
    Account(AccountLine<'a>),
    #[serde(borrow)]
    Login(LoginLine<'a>),
    #[serde(borrow)]
    Segment(SegmentLine<'a>),
    #[serde(borrow)]
    Head(HeadLine<'a>),
    #[serde(borrow)]
    Entry(Box<EntryLine<'a>>),
    #[serde(borrow)]
    Group(GroupLine<'a>),
    Member(MemberLine),
    #[serde(borrow)]
    Own(OwnLine<'a>),
    #[serde(borrow)]
    Listed(ListedLine<'a>),
    #[serde(borrow)]
    Marks(MarksLine<'a>),
    #[serde(borrow)]
    Direct(DirectLine<'a>),
    #[serde(borrow)]
    Amendment(Box<AmendmentLine<'a>>),
    #[serde(borrow)]
    Reactions(ReactionsLine<'a>),
    #[serde(borrow)]
    Gone(GoneLine<'a>),
    Invitation(InvitationLine),
    #[serde(borrow)]
    Preferences(PreferencesLine<'a>),
    #[serde(borrow)]
    Hidden(HiddenLine<'a>),
    Notice(StandingNoticeLine),
    NoticesRead(NoticesReadLine),
    Bond(BondLine),
    Seen(SeenLine),
    Media(MediaLine<'a>),
    #[serde(borrow)]
    End(EndLine<'a>),
    #[serde(borrow)]
    Total(TotalLine<'a>),
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderLine<'a> {
    pub(super) format: u64,
    #[serde(borrow)]
    pub(super) product: Cow<'a, str>,
    pub(super) created_at: i64,
    pub(super) origin: Origin,
}

/// The format alone, read before anything else is believed.
#[derive(Debug, Deserialize)]
pub(super) struct Probe {
    pub(super) parlance_export: FormatOnly,
}

/// See [`Probe`].
#[derive(Debug, Deserialize)]
pub(super) struct FormatOnly {
    pub(super) format: u64,
}

/// What was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A node that went on meanwhile.
    Node,
    /// A data folder that no node used.
    Folder,
}

/// Behind the records of a section.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndLine<'a> {
    #[serde(borrow)]
    pub(super) section: Cow<'a, str>,
    pub(super) records: u64,
    #[serde(borrow)]
    pub(super) sha256: Cow<'a, str>,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TotalLine<'a> {
    pub(super) records: u64,
    #[serde(borrow)]
    pub(super) sha256: Cow<'a, str>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SequenceName {
    Principals,
    Segments,
    Directs,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SequenceLine {
    name: SequenceName,
    last: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountLine<'a> {
    id: u64,
    #[serde(borrow)]
    username: Cow<'a, str>,
    #[serde(borrow)]
    email: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    password: Option<Cow<'a, str>>,
    active: bool,
    /// Why it is not active; where it was not yet told apart, it is banned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    standing: Option<StandingName>,
    created_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    updated_at: Option<i64>,
    #[serde(default, skip_serializing_if = "str::is_empty", borrow)]
    first_name: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "str::is_empty", borrow)]
    last_name: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "str::is_empty", borrow)]
    about: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    picture: Option<PictureLine<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    privacy: Option<PrivacyLine>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    staff: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    erasing: bool,
    version: u64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StandingName {
    Deactivated,
    Banned,
    Deleted,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PrivacyLine {
    presence: AudienceName,
    receipts: bool,
    searchable: bool,
    groups: AudienceName,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AudienceName {
    Everyone,
    Friends,
    Nobody,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LoginLine<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    user: u64,
    #[serde(borrow)]
    refresh: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    replaced: Option<ReplacedLine<'a>>,
    created_at: i64,
    expires_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used_at: Option<i64>,
    #[serde(default, skip_serializing_if = "str::is_empty", borrow)]
    device: Cow<'a, str>,
    #[serde(default)]
    door: u8,
    version: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplacedLine<'a> {
    #[serde(borrow)]
    refresh: Cow<'a, str>,
    at: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SegmentLine<'a> {
    segment: u64,
    #[serde(borrow)]
    log: Cow<'a, str>,
    bucket: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeadLine<'a> {
    #[serde(borrow)]
    log: Cow<'a, str>,
    tail: u64,
    count: u64,
    last_change: u64,
    epoch: u64,
    #[serde(borrow)]
    last_batch: Cow<'a, str>,
    incarnation: u64,
    segment: u64,
    last_at: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryLine<'a> {
    #[serde(borrow)]
    log: Cow<'a, str>,
    seq: u64,
    pos: u64,
    id: u64,
    author: u64,
    #[serde(borrow)]
    client_key: Cow<'a, str>,
    at: i64,
    #[serde(borrow)]
    act: ActLine<'a>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupLine<'a> {
    group: u64,
    #[serde(borrow)]
    name: Cow<'a, str>,
    members: u64,
    created_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    updated_at: Option<i64>,
    #[serde(default, skip_serializing_if = "str::is_empty", borrow)]
    about: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    picture: Option<PictureLine<'a>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    open: bool,
    version: u64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RoleName {
    Member,
    Admin,
    Owner,
}

impl RoleName {
    pub(super) fn of(role: Role) -> Self {
        match role {
            Role::Member => Self::Member,
            Role::Admin => Self::Admin,
            Role::Owner => Self::Owner,
        }
    }
    pub(super) fn role(self) -> Role {
        match self {
            Self::Member => Role::Member,
            Self::Admin => Role::Admin,
            Self::Owner => Role::Owner,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberLine {
    group: u64,
    user: u64,
    role: RoleName,
    since: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    version: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnLine<'a> {
    user: u64,
    #[serde(borrow)]
    conversation: Cow<'a, str>,
    pos: u64,
    version: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListedLine<'a> {
    user: u64,
    #[serde(borrow)]
    conversation: Cow<'a, str>,
    listed: bool,
    version: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MarksLine<'a> {
    user: u64,
    #[serde(borrow)]
    conversation: Cow<'a, str>,
    delivered: MarkLine,
    read: MarkLine,
    badge: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkLine {
    seq: u64,
    pos: u64,
    at: i64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PurposeName {
    Attachment,
    Picture,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MediaLine<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    owner: u64,
    purpose: PurposeName,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pixels: Option<(u32, u32)>,
    uploaded_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    erased_at: Option<i64>,
    version: u64,
}

impl<'a> From<&'a Record> for Line<'a> {
    #[expect(clippy::too_many_lines, reason = "a row for each kind of record")]
    fn from(record: &'a Record) -> Self {
        match record {
            Record::Sequence { sequence, last } => {
                let name = match sequence {
                    Sequence::Principals => SequenceName::Principals,
                    Sequence::Segments => SequenceName::Segments,
                    Sequence::Directs => SequenceName::Directs,
                };
                Self::Sequence(SequenceLine { name, last: *last })
            }
            Record::Account(account) => Self::Account(account_line(account)),
            Record::Login(login) => Self::Login(login_line(login)),
            Record::Segment { segment, log, bucket } => {
                Self::Segment(SegmentLine { segment: segment.0, log: log_name(*log), bucket: bucket.0 })
            }
            Record::Head { log, head } => Self::Head(head_line(*log, head)),
            Record::Entry { log, entry } => Self::Entry(Box::new(EntryLine {
                log: log_name(*log),
                seq: entry.seq.get(),
                pos: entry.pos.0,
                id: entry.id.get(),
                author: entry.author.get(),
                client_key: entry.client_key.as_str().into(),
                at: entry.at.0,
                act: act_line(&entry.act),
            })),
            Record::Group { group, version, row } => Self::Group(GroupLine {
                group: group.get(),
                name: row.name.as_str().into(),
                members: row.members,
                created_at: row.created_at.0,
                updated_at: (row.updated_at != row.created_at).then_some(row.updated_at.0),
                about: row.about.as_str().into(),
                picture: row.picture.map(picture_line),
                open: row.open,
                version: version.get(),
            }),
            Record::Member { group, user, version, place } => Self::Member(MemberLine {
                group: group.get(),
                user: user.get(),
                role: RoleName::of(place.role),
                since: place.since.get(),
                until: place.until.map(Seq::get),
                version: version.get(),
            }),
            Record::Own { user, conversation, version, pos } => {
                Self::Own(OwnLine { user: user.get(), conversation: conversation.to_string().into(), pos: pos.0, version: version.get() })
            }
            Record::Listed { user, conversation, version, listed } => Self::Listed(ListedLine {
                user: user.get(),
                conversation: conversation.to_string().into(),
                listed: *listed,
                version: version.get(),
            }),
            Record::Marks { user, conversation, marks } => Self::Marks(MarksLine {
                user: user.get(),
                conversation: conversation.to_string().into(),
                delivered: mark_line(marks.delivered),
                read: mark_line(marks.read),
                badge: marks.badge.0,
            }),
            Record::Direct { pair, version, number } => Self::Direct(rows::direct_line(*pair, *number, version.get())),
            Record::Amendment { conversation, seq, version, amendment } => {
                Self::Amendment(Box::new(rows::amendment_line(*conversation, seq.get(), amendment, version.get())))
            }
            Record::Reactions { conversation, seq, user, version, reactions } => {
                Self::Reactions(rows::reactions_line(*conversation, seq.get(), user.get(), reactions, version.get()))
            }
            Record::Gone { conversation, span, version, bits } => Self::Gone(rows::gone_line(*conversation, *span, bits, version.get())),
            Record::Invitation { group, user, version, invitation } => {
                Self::Invitation(rows::invitation_line(*group, user.get(), *invitation, version.get()))
            }
            Record::Preferences { user, conversation, version, preferences } => {
                Self::Preferences(rows::preferences_line(user.get(), *conversation, preferences, version.get()))
            }
            Record::Hidden { user, conversation, bucket, version, bits } => {
                Self::Hidden(rows::hidden_line(user.get(), *conversation, *bucket, bits, version.get()))
            }
            Record::Notice { user, seq, version, notice } => {
                Self::Notice(rows::standing_notice_line(user.get(), seq.get(), *notice, version.get()))
            }
            Record::NoticesRead { user, version, up_to } => {
                Self::NoticesRead(rows::notices_read_line(user.get(), up_to.get(), version.get()))
            }
            Record::Bond(bond) => Self::Bond(rows::bond_line(bond)),
            Record::Seen { user, seen } => Self::Seen(rows::seen_line(user.get(), *seen)),
            Record::Media(media) => Self::Media(media_line(media)),
        }
    }
}

impl Line<'_> {
    /// The record that the line holds; `None` for a line that holds none.
    #[expect(clippy::too_many_lines, reason = "a row for each kind of line")]
    pub(super) fn into_record(self) -> Result<Option<Record>, Invalid> {
        Ok(Some(match self {
            Self::Header(_) | Self::Section(_) | Self::End(_) | Self::Total(_) => return Ok(None),
            Self::Sequence(line) => {
                let sequence = match line.name {
                    SequenceName::Principals => Sequence::Principals,
                    SequenceName::Segments => Sequence::Segments,
                    SequenceName::Directs => Sequence::Directs,
                };
                Record::Sequence { sequence, last: line.last }
            }
            Self::Account(line) => Record::Account(account(&line)?),
            Self::Login(line) => Record::Login(login(&line)?),
            Self::Segment(line) => Record::Segment { segment: Segment(line.segment), log: log(&line.log)?, bucket: Bucket(line.bucket) },
            Self::Head(line) => Record::Head {
                log: log(&line.log)?,
                head: Head {
                    tail: seq(line.tail, "tail")?,
                    count: Pos(line.count),
                    last_change: seq(line.last_change, "last_change")?,
                    epoch: Epoch(line.epoch),
                    last_batch: BatchId(u128::from_be_bytes(hex(&line.last_batch, "last_batch")?)),
                    incarnation: Incarnation(line.incarnation),
                    segment: Segment(line.segment),
                    last_at: Timestamp(line.last_at),
                },
            },
            Self::Entry(line) => Record::Entry { log: log(&line.log)?, entry: Box::new(entry(*line)?) },
            Self::Group(line) => Record::Group {
                group: valid(GroupId::new(line.group), "group")?,
                version: seq(line.version, "version")?,
                row: GroupRow {
                    name: valid(GroupName::new(&line.name), "name")?,
                    members: line.members,
                    created_at: Timestamp(line.created_at),
                    about: valid(AboutText::new(&line.about), "about")?,
                    picture: line.picture.as_ref().map(picture).transpose()?,
                    open: line.open,
                    updated_at: Timestamp(line.updated_at.unwrap_or(line.created_at)),
                },
            },
            Self::Member(line) => Record::Member {
                group: valid(GroupId::new(line.group), "group")?,
                user: user(line.user)?,
                version: seq(line.version, "version")?,
                place: Membership {
                    role: line.role.role(),
                    since: seq(line.since, "since")?,
                    until: line.until.map(|until| seq(until, "until")).transpose()?,
                },
            },
            Self::Own(line) => Record::Own {
                user: user(line.user)?,
                conversation: conversation(&line.conversation)?,
                version: seq(line.version, "version")?,
                pos: Pos(line.pos),
            },
            Self::Listed(line) => Record::Listed {
                user: user(line.user)?,
                conversation: conversation(&line.conversation)?,
                version: seq(line.version, "version")?,
                listed: line.listed,
            },
            Self::Marks(line) => Record::Marks {
                user: user(line.user)?,
                conversation: conversation(&line.conversation)?,
                marks: Marks { delivered: mark(&line.delivered)?, read: mark(&line.read)?, badge: Pos(line.badge) },
            },
            Self::Direct(line) => line.into_record()?,
            Self::Amendment(line) => line.into_record()?,
            Self::Reactions(line) => line.into_record()?,
            Self::Gone(line) => line.into_record()?,
            Self::Invitation(line) => line.into_record()?,
            Self::Preferences(line) => line.into_record()?,
            Self::Hidden(line) => line.into_record()?,
            Self::Notice(line) => line.into_record()?,
            Self::NoticesRead(line) => line.into_record()?,
            Self::Bond(line) => line.into_record()?,
            Self::Seen(line) => line.into_record()?,
            Self::Media(line) => Record::Media(media(&line)?),
        }))
    }
}

fn account_line(account: &Versioned<Account>) -> AccountLine<'_> {
    let row = &account.row;
    AccountLine {
        id: row.id.get(),
        username: row.username.as_str().into(),
        email: row.email.as_str().into(),
        name: row.name.as_str().into(),
        password: row.password.as_ref().map(|hash| Cow::Borrowed(&*hash.0)),
        active: row.is_active(),
        standing: match row.standing {
            Standing::Active => None,
            Standing::Deactivated => Some(StandingName::Deactivated),
            Standing::Banned => Some(StandingName::Banned),
            Standing::Deleted => Some(StandingName::Deleted),
        },
        created_at: row.created_at.0,
        updated_at: (row.updated_at != row.created_at).then_some(row.updated_at.0),
        first_name: row.first_name.as_str().into(),
        last_name: row.last_name.as_str().into(),
        about: row.about.as_str().into(),
        picture: row.picture.map(picture_line),
        privacy: (row.privacy != Privacy::default()).then(|| PrivacyLine {
            presence: audience_name(row.privacy.presence),
            receipts: row.privacy.receipts,
            searchable: row.privacy.searchable,
            groups: audience_name(row.privacy.groups),
        }),
        staff: row.staff,
        erasing: row.erasing,
        version: account.version,
    }
}

fn account(line: &AccountLine<'_>) -> Result<Versioned<Account>, Invalid> {
    let row = Account {
        id: user(line.id)?,
        username: Username::new(&line.username).ok_or(Invalid("username"))?,
        email: Email::new(&line.email).ok_or(Invalid("email"))?,
        name: DisplayName::new(&line.name).ok_or(Invalid("name"))?,
        password: line.password.as_ref().map(|hash| PasswordHash((&**hash).into())),
        first_name: DisplayName::new(&line.first_name).ok_or(Invalid("first_name"))?,
        last_name: DisplayName::new(&line.last_name).ok_or(Invalid("last_name"))?,
        about: valid(AboutText::new(&line.about), "about")?,
        picture: line.picture.as_ref().map(picture).transpose()?,
        privacy: line.privacy.as_ref().map_or_else(Privacy::default, |privacy| Privacy {
            presence: audience(privacy.presence),
            receipts: privacy.receipts,
            searchable: privacy.searchable,
            groups: audience(privacy.groups),
        }),
        standing: match (line.active, line.standing) {
            (true, None) => Standing::Active,
            (false, Some(StandingName::Deactivated)) => Standing::Deactivated,
            (false, None | Some(StandingName::Banned)) => Standing::Banned,
            (false, Some(StandingName::Deleted)) => Standing::Deleted,
            (true, Some(_)) => return Err(Invalid("standing")),
        },
        staff: line.staff,
        erasing: line.erasing,
        created_at: Timestamp(line.created_at),
        updated_at: Timestamp(line.updated_at.unwrap_or(line.created_at)),
    };
    Ok(Versioned { version: line.version, row })
}

fn audience_name(audience: Audience) -> AudienceName {
    match audience {
        Audience::Everyone => AudienceName::Everyone,
        Audience::Friends => AudienceName::Friends,
        Audience::Nobody => AudienceName::Nobody,
    }
}

fn audience(name: AudienceName) -> Audience {
    match name {
        AudienceName::Everyone => Audience::Everyone,
        AudienceName::Friends => Audience::Friends,
        AudienceName::Nobody => Audience::Nobody,
    }
}

fn login_line(login: &Versioned<Login>) -> LoginLine<'_> {
    let row = &login.row;
    LoginLine {
        id: row.id.to_string().into(),
        user: row.user.get(),
        refresh: hex_of(&row.refresh.0).into(),
        replaced: row.replaced.map(|(hash, at)| ReplacedLine { refresh: hex_of(&hash.0).into(), at: at.0 }),
        created_at: row.created_at.0,
        expires_at: row.expires_at.0,
        ended_at: row.ended_at.map(|at| at.0),
        used_at: (row.used_at != row.created_at).then_some(row.used_at.0),
        device: Cow::Borrowed(&row.device),
        door: row.door.0,
        version: login.version,
    }
}

fn login(line: &LoginLine<'_>) -> Result<Versioned<Login>, Invalid> {
    let replaced = line.replaced.as_ref().map(|replaced| {
        let hash = RefreshHash(hex(&replaced.refresh, "refresh")?);
        Ok((hash, Timestamp(replaced.at)))
    });
    let row = Login {
        id: LoginId(u128::from_be_bytes(hex(&line.id, "id")?)),
        user: user(line.user)?,
        refresh: RefreshHash(hex(&line.refresh, "refresh")?),
        replaced: replaced.transpose()?,
        created_at: Timestamp(line.created_at),
        expires_at: Timestamp(line.expires_at),
        ended_at: line.ended_at.map(Timestamp),
        used_at: Timestamp(line.used_at.unwrap_or(line.created_at)),
        device: line.device.as_ref().into(),
        door: Door(line.door),
    };
    Ok(Versioned { version: line.version, row })
}

fn head_line(log: LogId, head: &Head) -> HeadLine<'static> {
    HeadLine {
        log: log_name(log),
        tail: head.tail.get(),
        count: head.count.0,
        last_change: head.last_change.get(),
        epoch: head.epoch.0,
        last_batch: format!("{:032x}", head.last_batch.0).into(),
        incarnation: head.incarnation.0,
        segment: head.segment.0,
        last_at: head.last_at.0,
    }
}

fn media_line(media: &Versioned<Media>) -> MediaLine<'_> {
    let Media { attachment, owner, purpose, erased_at } = &media.row;
    MediaLine {
        id: attachment.id.to_string().into(),
        owner: owner.get(),
        purpose: match purpose {
            Purpose::Attachment => PurposeName::Attachment,
            Purpose::Picture => PurposeName::Picture,
        },
        name: Cow::Borrowed(&attachment.name),
        kind: attachment.kind.media_type().into(),
        bytes: attachment.bytes,
        pixels: attachment.pixels,
        uploaded_at: attachment.uploaded_at.0,
        expires_at: attachment.expires_at.map(|at| at.0),
        erased_at: erased_at.map(|at| at.0),
        version: media.version,
    }
}

fn media(line: &MediaLine<'_>) -> Result<Versioned<Media>, Invalid> {
    let attachment = Attachment {
        id: MediaId(u128::from_be_bytes(hex(&line.id, "id")?)),
        name: Some(&*line.name).filter(|name| name.len() <= FILE_NAME_BYTES_MAX).ok_or(Invalid("name"))?.into(),
        kind: MediaKind::of_media_type(&line.kind).ok_or(Invalid("type"))?,
        bytes: line.bytes,
        pixels: line.pixels,
        uploaded_at: Timestamp(line.uploaded_at),
        expires_at: line.expires_at.map(Timestamp),
    };
    let purpose = match line.purpose {
        PurposeName::Attachment => Purpose::Attachment,
        PurposeName::Picture => Purpose::Picture,
    };
    let row = Media { attachment, owner: user(line.owner)?, purpose, erased_at: line.erased_at.map(Timestamp) };
    Ok(Versioned { version: line.version, row })
}

fn entry(line: EntryLine<'_>) -> Result<Entry, Invalid> {
    Ok(Entry {
        seq: seq(line.seq, "seq")?,
        pos: Pos(line.pos),
        id: valid(MessageId::new(line.id), "id")?,
        author: user(line.author)?,
        client_key: valid(ClientKey::new(&line.client_key), "client_key")?,
        at: Timestamp(line.at),
        act: act(line.act)?,
    })
}

fn mark_line(mark: Mark) -> MarkLine {
    MarkLine { seq: mark.seq.get(), pos: mark.pos.0, at: mark.at.0 }
}

fn mark(line: &MarkLine) -> Result<Mark, Invalid> {
    Ok(Mark { seq: seq(line.seq, "mark")?, pos: Pos(line.pos), at: Timestamp(line.at) })
}

/// A conversation in its text form, or `u` and the number of a user.
fn log_name(log: LogId) -> Cow<'static, str> {
    match log {
        LogId::Conversation(conversation) => conversation.to_string().into(),
        LogId::User(user) => format!("u{}", user.get()).into(),
    }
}

fn log(text: &str) -> Result<LogId, Invalid> {
    match text.strip_prefix('u') {
        Some(number) => Ok(LogId::User(user(valid(number.parse(), "log")?)?)),
        None => valid(text.parse().map(LogId::Conversation), "log"),
    }
}

pub(super) fn conversation(text: &str) -> Result<ConversationId, Invalid> {
    valid(text.parse(), "conversation")
}

pub(super) fn numbers(users: &[UserId]) -> Vec<u64> {
    users.iter().map(|user| user.get()).collect()
}

pub(super) fn user(number: u64) -> Result<UserId, Invalid> {
    valid(UserId::new(number), "user")
}

pub(super) fn users(numbers: &[u64]) -> Result<Vec<UserId>, Invalid> {
    numbers.iter().map(|number| user(*number)).collect()
}

pub(super) fn seq(value: u64, field: &'static str) -> Result<Seq, Invalid> {
    valid(Seq::new(value), field)
}

pub(super) fn valid<T, E>(result: Result<T, E>, field: &'static str) -> Result<T, Invalid> {
    result.or(Err(Invalid(field)))
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hex_of(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all text");
        text
    })
}

pub(super) fn hex<const N: usize>(text: &str, field: &'static str) -> Result<[u8; N], Invalid> {
    let mut bytes = [0; N];
    let digits = text.as_bytes();
    if Some(digits.len()) != N.checked_mul(2) {
        return Err(Invalid(field));
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        match pair {
            [high, low] => {
                let (high, low) = (digit(*high).ok_or(Invalid(field))?, digit(*low).ok_or(Invalid(field))?);
                *byte = (high << 4) | low;
            }
            _ => return Err(Invalid(field)),
        }
    }
    Ok(bytes)
}
