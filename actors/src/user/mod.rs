//! One connected user: who is asking, how often, and whether the user is online.
//!
//! | | |
//! | --- | --- |
//! | owns | the user's rates and presence on this node; the sessions themselves stand in the directory |
//! | written by | its own mail alone |
//! | supervised by | one of the node's shard supervisors; the next command of any session brings it back |
//! | limits | `visit_idle`, `sessions_user`, `posts_rate_user`, `groups_per_hour`, `typing_interval`; its mail is bounded by the sessions' requests in flight, and by `rest_in_flight_user` |
//! | forgets when it dies | rates (they start full) and a grace that was running |

pub mod state;
pub(crate) mod mail;
pub(crate) mod actor;
