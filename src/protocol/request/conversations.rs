//! Conversations as one user has them: lists, settings, marks, unread counts, notices, signals, resumes.

use std::collections::BTreeSet;

use actors::command::{Command, Cursor, MarkKind, Query, Wish};
use actors::id::ConversationId;
use actors::limits::{Limit, Limits};
use actors::time::Timestamp;

use super::{CURSOR_BYTES_MAX, Op};
use crate::protocol::error::{Code, WireError};
use crate::protocol::fields::{Fields, conversation, cursor};
use crate::protocol::value::Value;

/// Reads `conv.*` and the ops without a noun of their own.
pub(super) fn read(op: &str, d: &mut Fields<'_>, limits: &Limits) -> Result<Option<Op>, WireError> {
    Ok(Some(match op {
        "conv.get" => match (d.conversation_if_any("conv")?, d.user("user")?) {
            (Some(conversation), None) => Op::Query(Query::Conversation { conversation }),
            (None, Some(user)) => Op::OpenWith { user },
            (None, None) => return Err(WireError::validation("conv", "is missing; or name a user")),
            (Some(_), Some(_)) => return Err(WireError::validation("user", "cannot stand beside conv")),
        },
        "conv.list" => Op::Query(Query::Conversations { cursor: d.short_text("cursor", CURSOR_BYTES_MAX)?, limit: d.limit()? }),
        "conv.set" => {
            let (conversation, client_key) = (d.conversation()?, d.client_key()?);
            Op::Command(Command::Set { conversation, client_key, setting: wish(d)? })
        }
        "unread.get" => Op::Query(Query::Unread),
        "read" => {
            let (conversation, seq, private) = (d.conversation()?, d.needed_seq("seq")?, d.flag("private")?.unwrap_or(false));
            Op::Command(Command::Mark { conversation, mark: MarkKind::Read, seq, private })
        }
        "delivered" => {
            let (conversation, seq) = (d.conversation()?, d.needed_seq("seq")?);
            Op::Command(Command::Mark { conversation, mark: MarkKind::Delivered, seq, private: false })
        }
        "notice.list" => Op::Query(Query::Notices { before: d.seq("before")?, limit: d.limit()? }),
        "notice.read" => Op::Command(Command::ReadNotices { up_to: d.needed_seq("seq")? }),
        "typing" => Op::Command(Command::Type { conversation: d.conversation()? }),
        "sync" => Op::Query(sync(d, limits)?),
        _ => return Ok(None),
    }))
}

/// Exactly one setting: they are changes, and each is an entry of its own.
fn wish(d: &mut Fields<'_>) -> Result<Wish, WireError> {
    let mute = d.number("mute_until")?.map(|millis| match i64::try_from(millis).ok().and_then(|millis| millis.checked_mul(1_000)) {
        Some(0) => Wish::Mute(None),
        Some(micros) => Wish::Mute(Some(Timestamp(micros))),
        None => Wish::Mute(Some(Timestamp(i64::MAX))), // beyond every number that can be read
    });
    let wishes = [
        ("mute_until", mute),
        ("archived", d.flag("archived")?.map(Wish::Archive)),
        ("clear", d.seq("clear")?.map(Wish::Clear)),
        ("hide", d.seq("hide")?.map(Wish::Hide)),
    ];
    let mut given = wishes.into_iter().filter_map(|(name, wish)| Some((name, wish?)));
    match (given.next(), given.next()) {
        (Some((_, wish)), None) => Ok(wish),
        (None, _) => {
            d.nothing_left()?;
            Err(WireError::validation("mute_until", "is missing; or give archived, clear or hide"))
        }
        (Some((first, _)), Some((second, _))) => Err(WireError::validation(second, format!("cannot stand beside {first}"))),
    }
}

fn sync(d: &mut Fields<'_>, limits: &Limits) -> Result<Query, WireError> {
    let user = match d.value("user") {
        None => None,
        Some(value) => Some(own_cursor(&value).ok_or_else(|| WireError::validation("user", "must be [inc, seq]"))?),
    };
    let items = match d.value("convs") {
        None => Vec::new(),
        Some(Value::List(items)) => items,
        Some(_) => return Err(WireError::validation("convs", "must be a list of [conv, inc, seq]")),
    };
    let max = limits.get(Limit::SyncConversations);
    if u64::try_from(items.len()).unwrap_or(u64::MAX) > max {
        return Err(WireError::with(Code::TooManyItems, format!("more than {max}")).at("convs"));
    }
    let mut seen = BTreeSet::new();
    let mut conversations = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let wrong = |why| WireError::validation(format!("convs[{index}]"), why);
        let (conversation, cursor) = conversation_cursor(item).ok_or_else(|| wrong("must be [conv, inc, seq]"))?;
        if !seen.insert(conversation) {
            return Err(wrong("names a conversation for the second time"));
        }
        conversations.push((conversation, cursor));
    }
    Ok(Query::Sync { user, conversations })
}

fn own_cursor(value: &Value<'_>) -> Option<Cursor> {
    let Value::List(items) = value else { return None };
    let [incarnation, at] = items.as_slice() else { return None };
    cursor(incarnation, at)
}

fn conversation_cursor(value: &Value<'_>) -> Option<(ConversationId, Cursor)> {
    let Value::List(items) = value else { return None };
    let [id, incarnation, at] = items.as_slice() else { return None };
    Some((conversation(id)?, cursor(incarnation, at)?))
}
