//! The one authorisation function behind every entrance (G8): may this user do this, on that?
//!
//! Pure. Everything it needs is in its arguments; who asks comes from a verified credential, never from a request.
//! Things that the user must not know of answer like things that are not there. [`of_command`], [`of_query`] and
//! [`of_manage`] say for every op which deeds judge it: they are exhaustive, so no op can exist outside the matrix.

use crate::account::Privacy;
use crate::command::{Command, Manage, Query};
use crate::entry::{Membership, Role};
use crate::id::{Pair, UserId};
use crate::media::{Media, Purpose};
use crate::rejected::Rejected;
use crate::relation::{self, Bond};

/// What a user wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deed {
    /// Read entries, members, marks.
    Read,
    /// Post a message, or forward one.
    Post,
    /// Raise one's own marks.
    Mark,
    /// Signal that one is writing.
    Type,
    /// React to a message, or take a reaction back.
    React,
    /// Say something else in a message.
    Edit {
        /// Whether the one who asks wrote it.
        own: bool,
    },
    /// Delete a message for everyone.
    Delete {
        /// Whether the one who asks wrote it.
        own: bool,
        /// The role that its author has now; that of a member if the author is none any more.
        author: Role,
    },
    /// Add members.
    Add,
    /// Remove another member, of this role.
    Remove(Role),
    /// Leave.
    Leave,
    /// Invite users, or see who is invited.
    Invite,
    /// Become a member by oneself.
    Join,
    /// Decline an invitation, or take another's back.
    Decline {
        /// Whether it is that of the one who asks.
        own: bool,
    },
    /// Change name, text or picture.
    Change,
    /// Open the group to everyone, or close it.
    Open,
    /// Give a member another role, who has this one.
    SetRole(Role),
    /// Make another member the owner.
    HandOver,
    /// See another user's public profile.
    Find,
    /// See whether another user is here, and when he last was.
    SeePresence,
    /// Change what one is to another user. What may become of it is in [`relation::step`].
    Relate,
    /// Make another user a member of a group without asking.
    AddToGroup,
    /// Invite another user to a group.
    InviteToGroup,
    /// Create a group.
    Create,
    /// Show or change the own account and its logins.
    Manage,
    /// Have a conversation otherwise for oneself.
    Set,
    /// See one's own notices, counts, bonds and lists, and what happened in the own log.
    Own,
    /// Replace the list of users whose presence one hears of; each is judged as seeing his presence.
    Watch,
    /// Read a file by its name alone. What is attached to a message is read through the message, as reading that.
    Fetch,
    /// Send a file with a message.
    Attach,
    /// Show a file as one's own picture or a group's.
    Show,
    /// Erase a file.
    Erase,
}

/// On what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On<'a> {
    /// A direct conversation, and what the two are to each other.
    Direct {
        /// The two.
        pair: Pair,
        /// What they are to each other.
        bond: &'a Bond,
    },
    /// A group, and what the user is to it.
    Group {
        /// The user's place.
        place: Option<&'a Membership>,
        /// Whether anybody may join.
        open: bool,
        /// Whether the user has an invitation that is still good.
        invited: bool,
    },
    /// Another user.
    Person {
        /// What the two are to each other.
        bond: &'a Bond,
        /// What the other shows of himself.
        privacy: &'a Privacy,
        /// Whether they have exchanged a message.
        acquainted: bool,
    },
    /// The one who asks.
    Oneself,
    /// A file that is there.
    File {
        /// Who uploaded it.
        owner: UserId,
        /// What it is for.
        purpose: Purpose,
    },
}

impl On<'_> {
    /// This file.
    pub fn file(media: &Media) -> Self {
        Self::File { owner: media.owner, purpose: media.purpose }
    }
}

/// Whether `user` may do `deed` on `on`. A deed that has no sense on such a thing is a mistake of ours, and refused.
pub fn may(user: UserId, deed: Deed, on: On<'_>) -> Result<(), Rejected> {
    match on {
        On::Direct { pair, .. } if !pair.has(user) => Err(Rejected::NoSuchConversation),
        On::Direct { bond, .. } => direct(user, deed, bond),
        On::Group { place: Some(place), .. } if place.is_current() => member(deed, place.role),
        On::Group { place, open, invited } => outsider(deed, place.is_some(), open, invited),
        On::Person { bond, privacy, acquainted } => person(user, deed, bond, privacy, acquainted),
        On::Oneself => oneself(deed),
        On::File { owner, purpose } => file(deed, owner == user, purpose),
    }
}

/// One of the two of a direct conversation. A block stops what reaches the other, not what is one's own.
fn direct(user: UserId, deed: Deed, bond: &Bond) -> Result<(), Rejected> {
    match deed {
        Deed::Read | Deed::Mark | Deed::Delete { own: true, .. } => Ok(()),
        Deed::Edit { own: false } | Deed::Delete { own: false, .. } => Err(Rejected::NotTheAuthor),
        Deed::Post | Deed::React | Deed::Type | Deed::Edit { own: true } => relation::may_write(bond, user),
        Deed::Add | Deed::Remove(_) | Deed::Leave | Deed::Invite | Deed::Join | Deed::Decline { .. } => Err(Rejected::NotAGroup),
        Deed::Change | Deed::Open | Deed::SetRole(_) | Deed::HandOver => Err(Rejected::NotAGroup),
        Deed::Find | Deed::SeePresence | Deed::Relate | Deed::AddToGroup | Deed::InviteToGroup => Err(Rejected::Internal),
        Deed::Create | Deed::Manage | Deed::Set | Deed::Own | Deed::Watch => Err(Rejected::Internal),
        Deed::Fetch | Deed::Attach | Deed::Show | Deed::Erase => Err(Rejected::Internal),
    }
}

/// A member of a group, by role.
fn member(deed: Deed, role: Role) -> Result<(), Rejected> {
    let allowed = |allowed: bool| if allowed { Ok(()) } else { Err(Rejected::RoleTooLow) };
    match deed {
        Deed::Read | Deed::Post | Deed::Mark | Deed::Type | Deed::React => Ok(()),
        Deed::Edit { own: true } | Deed::Delete { own: true, .. } => Ok(()),
        Deed::Edit { own: false } => Err(Rejected::NotTheAuthor),
        Deed::Delete { own: false, author } => allowed(role >= Role::Admin && role > author),
        Deed::Add | Deed::Invite | Deed::Change | Deed::Decline { own: false } => allowed(role >= Role::Admin),
        Deed::Remove(other) => allowed(role >= Role::Admin && role > other),
        Deed::SetRole(other) => allowed(role == Role::Owner && other < Role::Owner),
        Deed::Open | Deed::HandOver => allowed(role == Role::Owner),
        Deed::Leave if role == Role::Owner => Err(Rejected::OwnerCannotLeave),
        // Who is a member already: joining again changes nothing.
        Deed::Leave | Deed::Join => Ok(()),
        Deed::Decline { own: true } => Err(Rejected::NoSuchConversation), // a member has no invitation
        Deed::Find | Deed::SeePresence | Deed::Relate | Deed::AddToGroup | Deed::InviteToGroup => Err(Rejected::Internal),
        Deed::Create | Deed::Manage | Deed::Set | Deed::Own | Deed::Watch => Err(Rejected::Internal),
        Deed::Fetch | Deed::Attach | Deed::Show | Deed::Erase => Err(Rejected::Internal),
    }
}

/// Somebody who is no member of a group: now, or never was one.
fn outsider(deed: Deed, former: bool, open: bool, invited: bool) -> Result<(), Rejected> {
    let allowed = |allowed: bool| if allowed { Ok(()) } else { Err(Rejected::NoSuchConversation) };
    match deed {
        // What stood in the group up to the removal stays readable; the caller cuts there.
        Deed::Read => allowed(former),
        Deed::Join => allowed(open || invited),
        Deed::Decline { own: true } => allowed(invited),
        Deed::Post | Deed::Mark | Deed::Type | Deed::React | Deed::Edit { .. } | Deed::Delete { .. } => allowed(false),
        Deed::Add | Deed::Remove(_) | Deed::Leave | Deed::Invite | Deed::Decline { own: false } => allowed(false),
        Deed::Change | Deed::Open | Deed::SetRole(_) | Deed::HandOver => allowed(false),
        Deed::Find | Deed::SeePresence | Deed::Relate | Deed::AddToGroup | Deed::InviteToGroup => Err(Rejected::Internal),
        Deed::Create | Deed::Manage | Deed::Set | Deed::Own | Deed::Watch => Err(Rejected::Internal),
        Deed::Fetch | Deed::Attach | Deed::Show | Deed::Erase => Err(Rejected::Internal),
    }
}

fn person(user: UserId, deed: Deed, bond: &Bond, privacy: &Privacy, acquainted: bool) -> Result<(), Rejected> {
    match deed {
        Deed::Find | Deed::Relate => Ok(()),
        // Like a user who was never here: the caller leaves him out.
        Deed::SeePresence if relation::may_see_presence(bond, privacy, acquainted) => Ok(()),
        Deed::SeePresence => Err(Rejected::NoSuchUser),
        Deed::AddToGroup => relation::may_add(bond, user, privacy),
        Deed::InviteToGroup => relation::may_write(bond, user),
        Deed::Read | Deed::Post | Deed::Mark | Deed::Type | Deed::React | Deed::Edit { .. } | Deed::Delete { .. } => {
            Err(Rejected::Internal)
        }
        Deed::Add | Deed::Remove(_) | Deed::Leave | Deed::Invite | Deed::Join | Deed::Decline { .. } => Err(Rejected::Internal),
        Deed::Change | Deed::Open | Deed::SetRole(_) | Deed::HandOver => Err(Rejected::Internal),
        Deed::Create | Deed::Manage | Deed::Set | Deed::Own | Deed::Watch => Err(Rejected::Internal),
        Deed::Fetch | Deed::Attach | Deed::Show | Deed::Erase => Err(Rejected::Internal),
    }
}

/// What is one's own: who has proved who he is may do it.
fn oneself(deed: Deed) -> Result<(), Rejected> {
    match deed {
        Deed::Find | Deed::SeePresence | Deed::Create | Deed::Manage | Deed::Set | Deed::Own | Deed::Watch => Ok(()),
        Deed::Relate | Deed::AddToGroup | Deed::InviteToGroup => Err(Rejected::NoSuchUser),
        Deed::Read | Deed::Post | Deed::Mark | Deed::Type | Deed::React | Deed::Edit { .. } | Deed::Delete { .. } => {
            Err(Rejected::Internal)
        }
        Deed::Add | Deed::Remove(_) | Deed::Leave | Deed::Invite | Deed::Join | Deed::Decline { .. } => Err(Rejected::Internal),
        Deed::Change | Deed::Open | Deed::SetRole(_) | Deed::HandOver => Err(Rejected::Internal),
        Deed::Fetch | Deed::Attach | Deed::Show | Deed::Erase => Err(Rejected::Internal),
    }
}

/// Another's file is as if it were not there; his picture may be seen by whoever knows its name.
fn file(deed: Deed, own: bool, purpose: Purpose) -> Result<(), Rejected> {
    let allowed = |allowed: bool| if allowed { Ok(()) } else { Err(Rejected::NoSuchMedia) };
    match deed {
        Deed::Fetch => allowed(own || purpose == Purpose::Picture),
        Deed::Attach => allowed(own && purpose == Purpose::Attachment),
        Deed::Show => allowed(own && purpose == Purpose::Picture),
        Deed::Erase => allowed(own),
        Deed::Read | Deed::Post | Deed::Mark | Deed::Type | Deed::React | Deed::Edit { .. } | Deed::Delete { .. } => {
            Err(Rejected::Internal)
        }
        Deed::Add | Deed::Remove(_) | Deed::Leave | Deed::Invite | Deed::Join | Deed::Decline { .. } => Err(Rejected::Internal),
        Deed::Change | Deed::Open | Deed::SetRole(_) | Deed::HandOver => Err(Rejected::Internal),
        Deed::Find | Deed::SeePresence | Deed::Relate | Deed::AddToGroup | Deed::InviteToGroup => Err(Rejected::Internal),
        Deed::Create | Deed::Manage | Deed::Set | Deed::Own | Deed::Watch => Err(Rejected::Internal),
    }
}

/// The deeds, without what they are done to: what an op is judged by, said before anything is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the deed of the same name")]
pub enum Verb {
    Read,
    Post,
    Mark,
    Type,
    React,
    Edit,
    Delete,
    Add,
    Remove,
    Leave,
    Invite,
    Join,
    Decline,
    Change,
    Open,
    SetRole,
    HandOver,
    Find,
    SeePresence,
    Relate,
    AddToGroup,
    InviteToGroup,
    Create,
    Manage,
    Set,
    Own,
    Watch,
    Fetch,
    Attach,
    Show,
    Erase,
}

impl Deed {
    /// Its name alone.
    pub fn verb(self) -> Verb {
        match self {
            Self::Read => Verb::Read,
            Self::Post => Verb::Post,
            Self::Mark => Verb::Mark,
            Self::Type => Verb::Type,
            Self::React => Verb::React,
            Self::Edit { .. } => Verb::Edit,
            Self::Delete { .. } => Verb::Delete,
            Self::Add => Verb::Add,
            Self::Remove(_) => Verb::Remove,
            Self::Leave => Verb::Leave,
            Self::Invite => Verb::Invite,
            Self::Join => Verb::Join,
            Self::Decline { .. } => Verb::Decline,
            Self::Change => Verb::Change,
            Self::Open => Verb::Open,
            Self::SetRole(_) => Verb::SetRole,
            Self::HandOver => Verb::HandOver,
            Self::Find => Verb::Find,
            Self::SeePresence => Verb::SeePresence,
            Self::Relate => Verb::Relate,
            Self::AddToGroup => Verb::AddToGroup,
            Self::InviteToGroup => Verb::InviteToGroup,
            Self::Create => Verb::Create,
            Self::Manage => Verb::Manage,
            Self::Set => Verb::Set,
            Self::Own => Verb::Own,
            Self::Watch => Verb::Watch,
            Self::Fetch => Verb::Fetch,
            Self::Attach => Verb::Attach,
            Self::Show => Verb::Show,
            Self::Erase => Verb::Erase,
        }
    }
}

/// The deeds that judge a command: every one that it may come to.
pub fn of_command(command: &Command) -> &'static [Verb] {
    match command {
        Command::Post { .. } => &[Verb::Post, Verb::Attach],
        Command::Edit { .. } => &[Verb::Edit],
        Command::Delete { .. } => &[Verb::Delete],
        Command::React { .. } => &[Verb::React],
        Command::Forward { .. } => &[Verb::Read, Verb::Post],
        Command::CreateGroup { .. } => &[Verb::Create, Verb::AddToGroup],
        Command::ChangeGroup { .. } => &[Verb::Change, Verb::Open, Verb::Show],
        Command::SetRole { .. } => &[Verb::SetRole],
        Command::HandOver { .. } => &[Verb::HandOver],
        Command::Invite { .. } => &[Verb::Invite, Verb::InviteToGroup],
        Command::Join { .. } => &[Verb::Join],
        Command::Decline { .. } => &[Verb::Decline],
        Command::AddMembers { .. } => &[Verb::Add, Verb::AddToGroup],
        Command::RemoveMember { .. } => &[Verb::Remove, Verb::Leave],
        Command::Mark { .. } => &[Verb::Mark],
        Command::Relate { .. } => &[Verb::Relate],
        Command::Set { .. } => &[Verb::Set, Verb::Read],
        Command::ReadNotices { .. } => &[Verb::Own],
        Command::Type { .. } => &[Verb::Type],
        Command::Watch { .. } => &[Verb::Watch, Verb::SeePresence],
    }
}

/// The deeds that judge a query.
pub fn of_query(query: &Query) -> &'static [Verb] {
    match query {
        Query::User { .. } | Query::FindUser { .. } | Query::SearchUsers { .. } => &[Verb::Find],
        Query::Presence { .. } => &[Verb::SeePresence],
        Query::Bond { .. } | Query::Bonds { .. } | Query::Notices { .. } | Query::Unread => &[Verb::Own],
        Query::Message { .. } | Query::ReadBy { .. } | Query::Reactions { .. } => &[Verb::Read],
        Query::Invitations { .. } => &[Verb::Invite],
        Query::Conversation { .. } | Query::Members { .. } | Query::History { .. } => &[Verb::Read],
        Query::Conversations { .. } | Query::Sync { .. } => &[Verb::Own, Verb::Read],
    }
}

/// The deeds that judge a wish about the own account.
pub fn of_manage(manage: &Manage) -> &'static [Verb] {
    match manage {
        Manage::Profile(_) => &[Verb::Manage, Verb::Show],
        Manage::Show | Manage::Password { .. } | Manage::Email { .. } | Manage::Logins => &[Verb::Manage],
        Manage::EndLogin(_) | Manage::EndOtherLogins | Manage::EndAllLogins => &[Verb::Manage],
        Manage::Deactivate { .. } | Manage::Delete { .. } => &[Verb::Manage],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::account::Audience;
    use crate::id::Seq;
    use crate::time::Timestamp;

    /// Every deed, with each of its variants that the rules tell apart.
    const DEEDS: [(&str, Deed); 40] = [
        ("read", Deed::Read),
        ("post", Deed::Post),
        ("mark", Deed::Mark),
        ("type", Deed::Type),
        ("react", Deed::React),
        ("edit own", Deed::Edit { own: true }),
        ("edit another's", Deed::Edit { own: false }),
        ("delete own", Deed::Delete { own: true, author: Role::Member }),
        ("delete a member's", Deed::Delete { own: false, author: Role::Member }),
        ("delete an admin's", Deed::Delete { own: false, author: Role::Admin }),
        ("delete the owner's", Deed::Delete { own: false, author: Role::Owner }),
        ("add", Deed::Add),
        ("remove a member", Deed::Remove(Role::Member)),
        ("remove an admin", Deed::Remove(Role::Admin)),
        ("remove the owner", Deed::Remove(Role::Owner)),
        ("leave", Deed::Leave),
        ("invite", Deed::Invite),
        ("join", Deed::Join),
        ("decline own", Deed::Decline { own: true }),
        ("take back", Deed::Decline { own: false }),
        ("change", Deed::Change),
        ("open", Deed::Open),
        ("role of a member", Deed::SetRole(Role::Member)),
        ("role of an admin", Deed::SetRole(Role::Admin)),
        ("role of the owner", Deed::SetRole(Role::Owner)),
        ("hand over", Deed::HandOver),
        ("find", Deed::Find),
        ("see presence", Deed::SeePresence),
        ("relate", Deed::Relate),
        ("add to group", Deed::AddToGroup),
        ("invite to group", Deed::InviteToGroup),
        ("create", Deed::Create),
        ("manage", Deed::Manage),
        ("set", Deed::Set),
        ("own", Deed::Own),
        ("watch", Deed::Watch),
        ("fetch", Deed::Fetch),
        ("attach", Deed::Attach),
        ("show", Deed::Show),
        ("erase", Deed::Erase),
    ];

    fn user(number: u64) -> UserId {
        UserId::new(number).expect("valid")
    }

    /// One letter for each deed: y may, n role too low, a only the author, b blocked, - as if it were not there, g not
    /// a group, o the owner stays, i by invitation alone, . has no sense on such a thing.
    fn row(who: UserId, on: On<'_>) -> String {
        DEEDS
            .iter()
            .map(|(_, deed)| match may(who, *deed, on) {
                Ok(()) => 'y',
                Err(Rejected::RoleTooLow) => 'n',
                Err(Rejected::NotTheAuthor) => 'a',
                Err(Rejected::Blocked { .. }) => 'b',
                Err(Rejected::NoSuchConversation | Rejected::NoSuchUser | Rejected::NoSuchMedia) => '-',
                Err(Rejected::NotAGroup) => 'g',
                Err(Rejected::OwnerCannotLeave) => 'o',
                Err(Rejected::InvitationNeeded) => 'i',
                Err(Rejected::Internal) => '.',
                Err(other) => unreachable!("{other:?}"),
            })
            .collect()
    }

    #[test]
    #[expect(clippy::print_stdout, reason = "the matrix is to be read")]
    #[rustfmt::skip] // a row is a line
    fn the_matrix_of_roles_and_deeds() {
        let pair = Pair::new(user(1), user(2)).expect("two users");
        let free = Bond::new(pair);
        let blocked = Bond { high_blocks: Some(Timestamp(1)), ..free };
        let place = |role, until| Membership { role, since: Seq::ZERO, until };
        let left = place(Role::Admin, Some(Seq::ZERO));
        let direct = |bond| On::Direct { pair, bond };
        let (everyone, friends) = (Privacy::default(), Privacy { presence: Audience::Friends, groups: Audience::Friends, ..Privacy::default() });
        let person = |bond, privacy, acquainted| On::Person { bond, privacy, acquainted };
        let (of_member, of_admin, of_owner) = (place(Role::Member, None), place(Role::Admin, None), place(Role::Owner, None));
        let group = |place, open, invited| On::Group { place, open, invited };
        let file = |owner, purpose| On::File { owner: user(owner), purpose };
        //                                                                           read post mark type react | edit | delete | members …
        let matrix = [
            ("one of two", 1, direct(&free),                                         "yyyyyyayaaaggggggggggggggg.............."),
            ("one of two, who is blocked", 1, direct(&blocked),                      "ybybbbayaaaggggggggggggggg.............."),
            ("one of two, who blocks", 2, direct(&blocked),                          "ybybbbayaaaggggggggggggggg.............."),
            ("neither of the two", 3, direct(&free),                                 "----------------------------------------"),
            ("stranger to a closed group", 3, group(None, false, false),             "--------------------------.............."),
            ("stranger to an open group", 3, group(None, true, false),               "-----------------y--------.............."),
            ("invited to a closed group", 3, group(None, false, true),               "-----------------yy-------.............."),
            ("former member", 3, group(Some(&left), false, false),                   "y-------------------------.............."),
            ("former member, invited", 3, group(Some(&left), false, true),           "y----------------yy-------.............."),
            ("member", 3, group(Some(&of_member), false, false),                     "yyyyyyaynnnnnnnyny-nnnnnnn.............."),
            ("admin", 3, group(Some(&of_admin), false, false),                       "yyyyyyayynnyynnyyy-yynnnnn.............."),
            ("owner", 3, group(Some(&of_owner), true, false),                        "yyyyyyayyynyyynoyy-yyyyyny.............."),
            ("person", 1, person(&free, &everyone, true),                            "..........................yyyyy........."),
            ("person, never spoken to", 1, person(&free, &everyone, false),          "..........................y-yyy........."),
            ("person, for friends alone", 1, person(&free, &friends, true),          "..........................y-yiy........."),
            ("person, blocked", 1, person(&blocked, &everyone, true),                "..........................y-ybb........."),
            ("oneself", 1, On::Oneself,                                              "..........................yy---yyyyy...."),
            ("own attachment", 1, file(1, Purpose::Attachment),                      "....................................yy-y"),
            ("own picture", 1, file(1, Purpose::Picture),                            "....................................y-yy"),
            ("another's attachment", 2, file(1, Purpose::Attachment),                "....................................----"),
            ("another's picture", 2, file(1, Purpose::Picture),                      "....................................y---"),
        ];
        for (who, number, on, expected) in matrix {
            let found = row(user(number), on);
            println!("{who:<30} {found}");
            assert_eq!(found, expected, "{who}");
        }
    }

    #[test]
    fn every_deed_that_judges_an_op_is_in_the_matrix() {
        let listed: BTreeSet<Verb> = DEEDS.iter().map(|(_, deed)| deed.verb()).collect();
        let all = [
            Verb::Read,
            Verb::Post,
            Verb::Mark,
            Verb::Type,
            Verb::React,
            Verb::Edit,
            Verb::Delete,
            Verb::Add,
            Verb::Remove,
            Verb::Leave,
            Verb::Invite,
            Verb::Join,
            Verb::Decline,
            Verb::Change,
            Verb::Open,
            Verb::SetRole,
            Verb::HandOver,
            Verb::Find,
            Verb::SeePresence,
            Verb::Relate,
            Verb::AddToGroup,
            Verb::InviteToGroup,
            Verb::Create,
            Verb::Manage,
            Verb::Set,
            Verb::Own,
            Verb::Watch,
            Verb::Fetch,
            Verb::Attach,
            Verb::Show,
            Verb::Erase,
        ];
        assert_eq!(listed, all.into_iter().collect());
    }
}
