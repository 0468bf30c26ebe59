//! The domain of Parlance and its actors. Nothing here can reach a socket, a file, the environment or a clock.
//!
//! Read in this order: the words ([`id`], [`time`], [`kind`], [`content`], [`entry`], [`account`], [`command`],
//! [`rejected`], [`view`], [`event`]), the bounds ([`limits`]), the ports ([`store`], [`credential`], [`telemetry`]),
//! the way out ([`session`], [`outbound`]).
//! With the feature `testkit` there are doubles of the ports and the contract that every store is held to.

pub mod id;
pub mod time;
pub mod kind;
pub mod content;
pub mod entry;
pub mod account;
pub mod command;
pub mod rejected;
pub mod view;
pub mod event;
pub mod limits;
pub mod store;
pub mod credential;
pub mod telemetry;
pub mod session;
pub mod outbound;
#[cfg(feature = "testkit")]
pub mod testkit;
