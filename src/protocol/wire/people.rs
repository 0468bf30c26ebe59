//! Users as others see them, and what two users are to each other.
//!
//! A block is shown to who made it and to nobody else: not even its place is there for the other one.

use actors::account::{Picture, Standing};
use actors::id::UserId;
use actors::relation::{self, Bond, BondChange, Side};
use actors::view::{BondView, UserView};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::protocol::wire::frame::{moment, unset};

/// The path of a picture. Empty where it was taken away.
#[derive(Debug, Clone, Copy)]
pub struct PicturePath(Option<Picture>);

impl PicturePath {
    /// Of a picture, if there is one.
    pub fn of(picture: Option<Picture>) -> Option<Self> {
        picture.map(|picture| Self(Some(picture)))
    }
    /// Of a change of the picture.
    pub fn changed(picture: Option<Picture>) -> Self {
        Self(picture)
    }
}

impl Serialize for PicturePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(picture) => serializer.collect_str(&format_args!("/v1/media/{}", picture.id)),
            None => serializer.serialize_str(""),
        }
    }
}

/// A user as others see one.
#[derive(Debug, Serialize, ToSchema)]
pub struct User<'a> {
    id: u64,
    username: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    first_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    last_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    about: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    picture: Option<PicturePath>,
    #[serde(skip_serializing_if = "unset")]
    deleted: bool,
}

impl<'a> From<&'a UserView> for User<'a> {
    fn from(user: &'a UserView) -> Self {
        Self {
            id: user.id.get(),
            username: user.username.as_str(),
            name: user.name.as_str(),
            first_name: user.first_name.as_str(),
            last_name: user.last_name.as_str(),
            about: user.about.as_str(),
            picture: PicturePath::of(user.picture),
            deleted: match user.standing {
                Standing::Deleted => true,
                Standing::Active | Standing::Deactivated | Standing::Banned => false,
            },
        }
    }
}

/// Users that were found.
#[derive(Debug, Serialize, ToSchema)]
pub struct Users<'a> {
    /// Best match first.
    pub users: Vec<User<'a>>,
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Pending => "pending",
        Side::Accepted => "accepted",
        Side::Rejected => "rejected",
    }
}

/// What a step did; `None` if everything was so already.
fn changed(change: BondChange) -> Option<&'static str> {
    match change {
        BondChange::None => None,
        BondChange::Requested => Some("requested"),
        BondChange::Accepted => Some("accepted"),
        BondChange::Declined => Some("declined"),
        BondChange::Ended => Some("ended"),
        BondChange::Other => Some("other"),
        BondChange::Blocked => Some("blocked"),
        BondChange::Unblocked => Some("unblocked"),
    }
}

/// A relation alike for both of its sides.
#[derive(Debug, Clone, Copy)]
struct Between {
    state: &'static str,
    from: Option<u64>,
    status_from: Option<&'static str>,
    status_to: Option<&'static str>,
    created_at: Option<i64>,
    updated_at: Option<i64>,
}

impl From<Option<relation::Relation>> for Between {
    fn from(relation: Option<relation::Relation>) -> Self {
        let Some(relation) = relation else {
            return Self { state: "none", from: None, status_from: None, status_to: None, created_at: None, updated_at: None };
        };
        let state = match (relation.is_friendship(), relation.is_open()) {
            (true, _) => "friends",
            (false, true) => "requested",
            (false, false) => "rejected",
        };
        Self {
            state,
            from: Some(relation.from.get()),
            status_from: Some(side(relation.status_from)),
            status_to: Some(side(relation.status_to)),
            created_at: Some(moment(relation.created_at)),
            updated_at: Some(moment(relation.updated_at)),
        }
    }
}

/// What two users are to each other, as one of them sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Relation<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User<'a>>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_from: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_to: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<&'static str>,
}

impl<'a> Relation<'a> {
    /// As the other one of the two than `peer` sees it; without a peer nothing is said of blocks.
    fn seen(bond: &Bond, peer: Option<UserId>) -> Self {
        let Between { state, from, status_from, status_to, created_at, updated_at } = bond.relation.into();
        let viewer = peer.and_then(|peer| bond.pair.other(peer));
        let blocked_at = viewer.and_then(|viewer| bond.blocked_by(viewer)).map(moment);
        Self { user: None, state, from, status_from, status_to, created_at, updated_at, blocked_at, change: None }
    }

    /// The whole of it, and what a step has changed.
    pub fn new(view: &'a BondView, change: BondChange) -> Self {
        let peer = view.peer.as_ref();
        Self { user: peer.map(User::from), change: changed(change), ..Self::seen(&view.bond, peer.map(|peer| peer.id)) }
    }

    /// Beside the peer who is shown already; `None` between strangers.
    pub fn beside(bond: &Bond, peer: Option<UserId>) -> Option<Self> {
        let relation = Self::seen(bond, peer);
        (bond.relation.is_some() || relation.blocked_at.is_some()).then_some(relation)
    }
}

/// A page of relations.
#[derive(Debug, Serialize, ToSchema)]
pub struct Relations<'a> {
    /// Newest first.
    pub relations: Vec<Relation<'a>>,
    /// How many there are in all.
    pub total: u64,
    /// For the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<&'a str>,
}

/// Two users are something else to each other. The same bytes go to both, so it is alike for both; a block or its end
/// is announced to who made it alone.
#[derive(Debug, Serialize, ToSchema)]
pub struct RelationPush<'a> {
    by: u64,
    change: &'static str,
    users: [u64; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    people: Option<Vec<User<'a>>>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_from: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_to: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<i64>,
}

impl<'a> RelationPush<'a> {
    /// What [`Event::Bond`](actors::event::Event::Bond) says.
    pub fn new(by: UserId, change: BondChange, bond: &Bond, people: Option<&'a [UserView; 2]>) -> Self {
        let Between { state, from, status_from, status_to, created_at, updated_at } = bond.relation.into();
        Self {
            by: by.get(),
            change: changed(change).unwrap_or("none"),
            users: [bond.pair.low().get(), bond.pair.high().get()],
            people: people.map(|people| people.iter().map(User::from).collect()),
            state,
            from,
            status_from,
            status_to,
            created_at,
            updated_at,
        }
    }
}
