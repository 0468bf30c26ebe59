//! Groups: what they are, who belongs to them, and who may.

use actors::command::{Command, Query};
use actors::content::{AboutText, ClientKey, GroupName};
use actors::entry::{GroupChange, Role};
use actors::id::ConversationId;

use super::Op;
use crate::protocol::error::WireError;
use crate::protocol::fields::Fields;

/// Reads `group.*`.
pub(super) fn read(op: &str, d: &mut Fields<'_>) -> Result<Option<Op>, WireError> {
    Ok(Some(match op {
        "group.create" => {
            let (client_key, name) = (d.client_key()?, name(d)?);
            let name = d.needed("name", name)?;
            let (members, open) = (d.users("members")?.unwrap_or_default(), d.flag("open")?.unwrap_or(false));
            Op::Command(Command::CreateGroup { client_key, name, members, open })
        }
        "group.members" => Op::Query(Query::Members { conversation: d.conversation()?, after: d.user("after")?, limit: d.limit()? }),
        "group.invitations" => {
            Op::Query(Query::Invitations { conversation: d.conversation()?, after: d.user("after")?, limit: d.limit()? })
        }
        "group.update" | "group.join" => {
            let (conversation, client_key) = (d.conversation()?, d.client_key()?);
            Op::Command(match op {
                "group.update" => update(d, conversation, client_key)?,
                _ => Command::Join { conversation, client_key },
            })
        }
        "group.add" | "group.invite" => {
            let (conversation, client_key) = (d.conversation()?, d.client_key()?);
            let field = if op == "group.add" { "members" } else { "users" };
            let users = d.users(field)?;
            let users = d.needed(field, users)?;
            if users.is_empty() {
                return Err(WireError::validation(field, "must not be empty"));
            }
            Op::Command(match op {
                "group.add" => Command::AddMembers { conversation, client_key, members: users },
                _ => Command::Invite { conversation, client_key, users },
            })
        }
        "group.remove" | "group.role" | "group.hand_over" | "group.decline" => {
            let (conversation, client_key, user) = (d.conversation()?, d.client_key()?, d.needed_user("user")?);
            Op::Command(match op {
                "group.remove" => Command::RemoveMember { conversation, client_key, member: user },
                "group.role" => Command::SetRole { conversation, client_key, member: user, role: role(d)? },
                "group.hand_over" => Command::HandOver { conversation, client_key, to: user },
                _ => Command::Decline { conversation, client_key, user },
            })
        }
        _ => return Ok(None),
    }))
}

fn name(d: &mut Fields<'_>) -> Result<Option<GroupName>, WireError> {
    let text = d.text("name")?;
    text.map(|text| GroupName::new(&text).map_err(|fault| d.unfit("name", fault))).transpose()
}

/// A role that can be given; an owner is made by handing the group over.
fn role(d: &mut Fields<'_>) -> Result<Role, WireError> {
    let role = d.word("role", [("member", Role::Member), ("admin", Role::Admin)])?;
    d.needed("role", role)
}

fn update(d: &mut Fields<'_>, conversation: ConversationId, client_key: ClientKey) -> Result<Command, WireError> {
    let about = d.text("about")?;
    let about = about.map(|text| AboutText::new(&text).map_err(|fault| d.unfit("about", fault))).transpose()?;
    let change = GroupChange { name: name(d)?, about, picture: None, open: d.flag("open")? };
    let picture = d.picture("picture")?;
    if change.is_empty() && picture.is_none() {
        d.nothing_left()?;
        return Err(WireError::validation("name", "is missing; or give about, picture or open"));
    }
    Ok(Command::ChangeGroup { conversation, client_key, change, picture })
}
