//! Other people: finding them, being something to them, and whether they are here.

use actors::command::{BondFilter, Command, Query};
use actors::id::Door;
use actors::relation::{Side, Step};

use super::{CURSOR_BYTES_MAX, Op};
use crate::protocol::error::WireError;
use crate::protocol::fields::Fields;

const FILTERS: [(&str, BondFilter); 5] = [
    ("friends", BondFilter::Friends),
    ("incoming", BondFilter::Incoming),
    ("outgoing", BondFilter::Outgoing),
    ("blocked", BondFilter::Blocked),
    ("related", BondFilter::Related),
];

fn relate(d: &mut Fields<'_>, step: Step) -> Result<Op, WireError> {
    Ok(Op::Command(Command::Relate { peer: d.needed_user("user")?, step, door: Door::default() }))
}

/// How many characters the beginning of a name has; the core does not count blanks around it.
const PREFIX_CHARS: std::ops::RangeInclusive<usize> = 2..=64;

/// Reads `user.*`, `relation.*` and `presence.*`.
pub(super) fn read(op: &str, d: &mut Fields<'_>) -> Result<Option<Op>, WireError> {
    Ok(Some(match op {
        "user.get" => Op::Query(Query::User { user: d.needed_user("user")? }),
        "user.find" => {
            let username = d.text("username")?;
            Op::Query(Query::FindUser { username: d.needed("username", username)?.into_owned() })
        }
        "user.search" => {
            let prefix = d.text("prefix")?;
            let prefix = d.needed("prefix", prefix)?.into_owned();
            if !PREFIX_CHARS.contains(&prefix.chars().count()) {
                return Err(WireError::validation("prefix", "must have 2 to 64 characters"));
            }
            Op::Query(Query::SearchUsers { prefix, limit: d.limit()? })
        }
        "relation.get" => Op::Query(Query::Bond { peer: d.needed_user("user")? }),
        "relation.list" => {
            let filter = d.word("filter", FILTERS)?;
            let filter = d.needed("filter", filter)?;
            Op::Query(Query::Bonds { filter, cursor: d.short_text("cursor", CURSOR_BYTES_MAX)?, limit: d.limit()? })
        }
        // Somebody who said no may be asked again: it is open to him to block.
        "relation.request" => relate(d, Step::Request { own: Side::Pending, anew: true })?,
        "relation.accept" => relate(d, Step::Accept)?,
        "relation.decline" => relate(d, Step::Decline)?,
        "relation.remove" => relate(d, Step::Unfriend)?,
        "relation.block" => relate(d, Step::Block)?,
        "relation.unblock" => relate(d, Step::Unblock)?,
        "presence.watch" => {
            let users = d.users("users")?;
            Op::Command(Command::Watch { users: d.needed("users", users)? })
        }
        "presence.get" => {
            let users = d.users("users")?;
            Op::Query(Query::Presence { users: d.needed("users", users)? })
        }
        _ => return Ok(None),
    }))
}
