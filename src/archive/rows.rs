//! The lines of what became of messages, of what users want and are told, and of what they are to each other.

#![warn(clippy::indexing_slicing, clippy::string_slice, clippy::arithmetic_side_effects)]

use std::borrow::Cow;

use actors::account::Seen;
use actors::archive::Record;
use actors::bits::Bits;
use actors::content::Reaction;
use actors::entry::{Amendment, Invitation, Preferences};
use actors::id::{Bucket, ConversationId, DirectNumber, GroupId, Pair, Pos};
use actors::relation::{Bond, Relation, Side};
use actors::store::Versioned;
use actors::time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::act::{ContentLine, NoticeLine, content, content_line, notice, notice_line};
use super::wire::{Invalid, conversation, seq, user, valid};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DirectLine<'a> {
    #[serde(borrow)]
    conversation: Cow<'a, str>,
    number: u64,
    version: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AmendmentLine<'a> {
    #[serde(borrow)]
    conversation: Cow<'a, str>,
    seq: u64,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    edited: Option<EditedLine<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    edits: Vec<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted: Option<ByLine>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", borrow)]
    reactions: Vec<(Cow<'a, str>, u64)>,
    version: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EditedLine<'a> {
    #[serde(borrow)]
    content: ContentLine<'a>,
    at: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ByLine {
    by: u64,
    at: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReactionsLine<'a> {
    #[serde(borrow)]
    conversation: Cow<'a, str>,
    seq: u64,
    user: u64,
    #[serde(borrow)]
    reactions: Vec<Cow<'a, str>>,
    version: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GoneLine<'a> {
    #[serde(borrow)]
    conversation: Cow<'a, str>,
    span: u64,
    #[serde(borrow)]
    bits: Cow<'a, str>,
    version: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InvitationLine {
    group: u64,
    user: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    version: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PreferencesLine<'a> {
    user: u64,
    #[serde(borrow)]
    conversation: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    muted_until: Option<i64>,
    archived: bool,
    cleared: ClearedLine,
    version: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClearedLine {
    seq: u64,
    pos: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HiddenLine<'a> {
    user: u64,
    #[serde(borrow)]
    conversation: Cow<'a, str>,
    bucket: u64,
    #[serde(borrow)]
    bits: Cow<'a, str>,
    version: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StandingNoticeLine {
    user: u64,
    seq: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    notice: Option<NoticeLine>,
    version: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoticesReadLine {
    user: u64,
    up_to: u64,
    version: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BondLine {
    low: u64,
    high: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    relation: Option<RelationLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    low_blocks: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    high_blocks: Option<i64>,
    version: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RelationLine {
    from: u64,
    status_from: SideName,
    status_to: SideName,
    created_at: i64,
    updated_at: i64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SideName {
    Pending,
    Accepted,
    Rejected,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeenLine {
    user: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    here: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login: Option<i64>,
}

pub(super) fn amendment_line(at: ConversationId, seq: u64, amendment: &Amendment, version: u64) -> AmendmentLine<'_> {
    AmendmentLine {
        conversation: at.to_string().into(),
        seq,
        edited: amendment.edited.as_ref().map(|(content, at)| EditedLine { content: content_line(content), at: at.0 }),
        edits: amendment.edits.iter().map(|seq| seq.get()).collect(),
        deleted: amendment.deleted.map(|(by, at)| ByLine { by: by.get(), at: at.0 }),
        reactions: amendment.reactions.iter().map(|(reaction, count)| (reaction.as_str().into(), *count)).collect(),
        version,
    }
}

pub(super) fn direct_line(pair: Pair, number: DirectNumber, version: u64) -> DirectLine<'static> {
    DirectLine { conversation: ConversationId::Direct(pair).to_string().into(), number: number.get(), version }
}

pub(super) fn reactions_line(at: ConversationId, seq: u64, by: u64, reactions: &[Reaction], version: u64) -> ReactionsLine<'_> {
    let reactions = reactions.iter().map(|reaction| reaction.as_str().into()).collect();
    ReactionsLine { conversation: at.to_string().into(), seq, user: by, reactions, version }
}

pub(super) fn gone_line(at: ConversationId, span: Bucket, bits: &Bits, version: u64) -> GoneLine<'static> {
    GoneLine { conversation: at.to_string().into(), span: span.0, bits: STANDARD.encode(bits.as_bytes()).into(), version }
}

pub(super) fn invitation_line(group: GroupId, to: u64, invitation: Option<Invitation>, version: u64) -> InvitationLine {
    InvitationLine {
        group: group.get(),
        user: to,
        by: invitation.map(|invitation| invitation.by.get()),
        expires_at: invitation.map(|invitation| invitation.expires_at.0),
        version,
    }
}

pub(super) fn preferences_line(of: u64, at: ConversationId, preferences: &Preferences, version: u64) -> PreferencesLine<'static> {
    PreferencesLine {
        user: of,
        conversation: at.to_string().into(),
        muted_until: preferences.muted_until.map(|until| until.0),
        archived: preferences.archived,
        cleared: ClearedLine { seq: preferences.cleared.0.get(), pos: preferences.cleared.1.0 },
        version,
    }
}

pub(super) fn hidden_line(of: u64, at: ConversationId, bucket: Bucket, bits: &Bits, version: u64) -> HiddenLine<'static> {
    let bits = STANDARD.encode(bits.as_bytes()).into();
    HiddenLine { user: of, conversation: at.to_string().into(), bucket: bucket.0, bits, version }
}

pub(super) fn standing_notice_line(of: u64, seq: u64, standing: Option<actors::entry::Notice>, version: u64) -> StandingNoticeLine {
    StandingNoticeLine { user: of, seq, notice: standing.map(notice_line), version }
}

pub(super) fn notices_read_line(of: u64, up_to: u64, version: u64) -> NoticesReadLine {
    NoticesReadLine { user: of, up_to, version }
}

pub(super) fn bond_line(bond: &Versioned<Bond>) -> BondLine {
    let row = &bond.row;
    BondLine {
        low: row.pair.low().get(),
        high: row.pair.high().get(),
        relation: row.relation.map(|relation| RelationLine {
            from: relation.from.get(),
            status_from: side_name(relation.status_from),
            status_to: side_name(relation.status_to),
            created_at: relation.created_at.0,
            updated_at: relation.updated_at.0,
        }),
        low_blocks: row.low_blocks.map(|at| at.0),
        high_blocks: row.high_blocks.map(|at| at.0),
        version: bond.version,
    }
}

pub(super) fn seen_line(of: u64, seen: Seen) -> SeenLine {
    SeenLine { user: of, here: seen.here.map(|at| at.0), login: seen.login.map(|at| at.0) }
}

impl DirectLine<'_> {
    pub(super) fn into_record(self) -> Result<Record, Invalid> {
        let ConversationId::Direct(pair) = conversation(&self.conversation)? else { return Err(Invalid("conversation")) };
        let number = valid(DirectNumber::new(self.number), "number")?;
        Ok(Record::Direct { pair, version: seq(self.version, "version")?, number })
    }
}

impl AmendmentLine<'_> {
    pub(super) fn into_record(self) -> Result<Record, Invalid> {
        let amendment = Amendment {
            edited: self.edited.map(|edited| Ok((content(edited.content)?, Timestamp(edited.at)))).transpose()?,
            edits: self.edits.into_iter().map(|value| seq(value, "edits")).collect::<Result<_, _>>()?,
            deleted: self.deleted.map(|deleted| Ok((user(deleted.by)?, Timestamp(deleted.at)))).transpose()?,
            reactions: self.reactions.iter().map(|(text, count)| Ok((reaction(text)?, *count))).collect::<Result<_, _>>()?,
        };
        Ok(Record::Amendment {
            conversation: conversation(&self.conversation)?,
            seq: seq(self.seq, "seq")?,
            version: seq(self.version, "version")?,
            amendment: Box::new(amendment),
        })
    }
}

impl ReactionsLine<'_> {
    pub(super) fn into_record(self) -> Result<Record, Invalid> {
        Ok(Record::Reactions {
            conversation: conversation(&self.conversation)?,
            seq: seq(self.seq, "seq")?,
            user: user(self.user)?,
            version: seq(self.version, "version")?,
            reactions: self.reactions.iter().map(|text| reaction(text)).collect::<Result<_, _>>()?,
        })
    }
}

impl GoneLine<'_> {
    pub(super) fn into_record(self) -> Result<Record, Invalid> {
        let (version, bits) = (seq(self.version, "version")?, bits(&self.bits)?);
        Ok(Record::Gone { conversation: conversation(&self.conversation)?, span: Bucket(self.span), version, bits })
    }
}

impl InvitationLine {
    pub(super) fn into_record(self) -> Result<Record, Invalid> {
        let invitation = match (self.by, self.expires_at) {
            (Some(by), Some(expires_at)) => Some(Invitation { by: user(by)?, expires_at: Timestamp(expires_at) }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(Invalid("by")),
        };
        let group = valid(GroupId::new(self.group), "group")?;
        Ok(Record::Invitation { group, user: user(self.user)?, version: seq(self.version, "version")?, invitation })
    }
}

impl PreferencesLine<'_> {
    pub(super) fn into_record(self) -> Result<Record, Invalid> {
        let preferences = Preferences {
            muted_until: self.muted_until.map(Timestamp),
            archived: self.archived,
            cleared: (seq(self.cleared.seq, "cleared")?, Pos(self.cleared.pos)),
        };
        Ok(Record::Preferences {
            user: user(self.user)?,
            conversation: conversation(&self.conversation)?,
            version: seq(self.version, "version")?,
            preferences,
        })
    }
}

impl HiddenLine<'_> {
    pub(super) fn into_record(self) -> Result<Record, Invalid> {
        Ok(Record::Hidden {
            user: user(self.user)?,
            conversation: conversation(&self.conversation)?,
            bucket: Bucket(self.bucket),
            version: seq(self.version, "version")?,
            bits: bits(&self.bits)?,
        })
    }
}

impl StandingNoticeLine {
    pub(super) fn into_record(self) -> Result<Record, Invalid> {
        let standing = self.notice.as_ref().map(notice).transpose()?;
        Ok(Record::Notice { user: user(self.user)?, seq: seq(self.seq, "seq")?, version: seq(self.version, "version")?, notice: standing })
    }
}

impl NoticesReadLine {
    pub(super) fn into_record(self) -> Result<Record, Invalid> {
        Ok(Record::NoticesRead { user: user(self.user)?, version: seq(self.version, "version")?, up_to: seq(self.up_to, "up_to")? })
    }
}

impl BondLine {
    pub(super) fn into_record(self) -> Result<Record, Invalid> {
        let (low, high) = (user(self.low)?, user(self.high)?);
        if low >= high {
            return Err(Invalid("low"));
        }
        let relation = |line: RelationLine| {
            Ok(Relation {
                from: user(line.from)?,
                status_from: side(line.status_from),
                status_to: side(line.status_to),
                created_at: Timestamp(line.created_at),
                updated_at: Timestamp(line.updated_at),
            })
        };
        let row = Bond {
            pair: valid(Pair::new(low, high), "low")?,
            relation: self.relation.map(relation).transpose()?,
            low_blocks: self.low_blocks.map(Timestamp),
            high_blocks: self.high_blocks.map(Timestamp),
        };
        Ok(Record::Bond(Versioned { version: self.version, row }))
    }
}

impl SeenLine {
    pub(super) fn into_record(self) -> Result<Record, Invalid> {
        Ok(Record::Seen { user: user(self.user)?, seen: Seen { here: self.here.map(Timestamp), login: self.login.map(Timestamp) } })
    }
}

fn reaction(text: &str) -> Result<Reaction, Invalid> {
    valid(Reaction::new(text), "reaction")
}

fn bits(text: &str) -> Result<Bits, Invalid> {
    Bits::from_bytes(&valid(STANDARD.decode(text), "bits")?).ok_or(Invalid("bits"))
}

fn side_name(side: Side) -> SideName {
    match side {
        Side::Pending => SideName::Pending,
        Side::Accepted => SideName::Accepted,
        Side::Rejected => SideName::Rejected,
    }
}

fn side(name: SideName) -> Side {
    match name {
        SideName::Pending => Side::Pending,
        SideName::Accepted => Side::Accepted,
        SideName::Rejected => Side::Rejected,
    }
}
