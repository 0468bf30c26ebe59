//! Messages: posting and what becomes of a post, reading them, and who has read them.

use actors::command::{Command, Query, Span};
use actors::content::{Content, Reaction};

use super::Op;
use crate::protocol::error::WireError;
use crate::protocol::fields::Fields;
use crate::protocol::value::to_opaque;

/// Reads `msg.*`.
pub(super) fn read(op: &str, d: &mut Fields<'_>) -> Result<Option<Op>, WireError> {
    Ok(Some(match op {
        "msg.send" | "msg.edit" | "msg.delete" | "msg.react" | "msg.forward" => Op::Command(change(op, d)?),
        "msg.get" => {
            let id = d.message("id")?;
            Op::Query(Query::Message { id: d.needed("id", id)? })
        }
        "msg.history" => Op::Query(Query::History { conversation: d.conversation()?, span: span(d)?, limit: d.limit()? }),
        "msg.read_by" => {
            let (conversation, target) = (d.conversation()?, d.needed_seq("seq")?);
            Op::Query(Query::ReadBy { conversation, target, after: d.user("after")?, limit: d.limit()? })
        }
        "msg.reactions" => {
            let (conversation, target) = (d.conversation()?, d.needed_seq("seq")?);
            Op::Query(Query::Reactions { conversation, target, after: d.user("after")?, limit: d.limit()? })
        }
        _ => return Ok(None),
    }))
}

fn change(op: &str, d: &mut Fields<'_>) -> Result<Command, WireError> {
    let (conversation, client_key) = (d.conversation()?, d.client_key()?);
    if op == "msg.send" {
        let media = d.media_list("attachments")?.unwrap_or_default();
        let said = said(d, !media.is_empty())?;
        return Ok(Command::Post { conversation, client_key, content: Content { reply_to: d.seq("reply_to")?, ..said }, media });
    }
    if op == "msg.forward" {
        let from = d.conversation_if_any("from")?;
        let from = d.needed("from", from)?;
        return Ok(Command::Forward { conversation, client_key, from, target: d.needed_seq("seq")? });
    }
    let target = d.needed_seq("seq")?;
    Ok(match op {
        "msg.edit" => Command::Edit { conversation, client_key, target, content: said(d, false)? },
        "msg.delete" => Command::Delete { conversation, client_key, target },
        _ => {
            let text = d.text("reaction")?;
            let text = d.needed("reaction", text)?;
            let reaction = Reaction::new(&text).map_err(|fault| d.unfit("reaction", fault))?;
            Command::React { conversation, client_key, target, reaction, on: d.flag("on")?.unwrap_or(true) }
        }
    })
}

/// What a message says: its body, and whom it names. The body may be left out where files speak for themselves.
fn said(d: &mut Fields<'_>, may_be_silent: bool) -> Result<Content, WireError> {
    let mentions = d.users("mentions")?.unwrap_or_default();
    let body = match d.value("body") {
        None if may_be_silent => return Ok(Content { mentions, ..Content::default() }),
        body => d.needed("body", body)?,
    };
    let mut body = Fields::of(body, "body", "body.")?;
    let text = body.text("text")?.unwrap_or_default();
    let data = match body.value("data") {
        None => None,
        Some(value) => Some(to_opaque(&value).map_err(|why| WireError::validation("body.data", why))?),
    };
    body.end()?;
    Ok(Content { text: text.into(), data, mentions, ..Content::default() })
}

fn span(d: &mut Fields<'_>) -> Result<Span, WireError> {
    match (d.seq("before")?, d.seq_or_zero("after")?) {
        (None, None) => Ok(Span::Newest),
        (Some(seq), None) => Ok(Span::Before(seq)),
        (None, Some(seq)) => Ok(Span::After(seq)),
        (Some(_), Some(_)) => Err(WireError::validation("after", "cannot stand beside before")),
    }
}
