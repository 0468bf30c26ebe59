//! The domain of Parlance and its actors. Nothing here can reach a socket, a file, the environment or a clock.
//!
//! Read in this order: the words ([`id`], [`time`], [`kind`], [`media`], [`content`], [`entry`], [`account`], [`command`],
//! [`rejected`], [`view`], [`event`]), the bounds ([`limits`]), the ports ([`store`], [`archive`], [`credential`],
//! [`telemetry`]), the way out ([`session`], [`outbound`], [`relay`]), the rules ([`relation`], [`search`], [`policy`], [`bucket`], [`log`],
//! [`conversation`], [`user`], [`restoration`]), and what runs them: the homes, the answers, the directory, and [`node`], the façade of the crate.
//! With the feature `testkit` there are doubles of the ports and the contract that every store is held to.

pub mod id;
pub mod time;
pub mod kind;
pub mod media;
pub mod content;
pub mod bits;
pub mod entry;
pub mod account;
pub mod command;
pub mod rejected;
pub mod view;
pub mod event;
pub mod limits;
pub mod relation;
pub mod search;
pub mod store;
pub mod archive;
pub mod credential;
pub mod telemetry;
pub mod session;
pub mod outbound;
pub mod policy;
pub mod bucket;
pub mod log;
pub mod relay;
pub mod conversation;
pub mod user;
pub mod restoration;
mod home;
mod answer;
pub mod accounts;
mod numbers;
mod cards;
mod totals;
mod rates;
mod files;
mod task;
mod supervisor;
mod directory;
pub mod node;
#[cfg(feature = "testkit")]
pub mod testkit;
#[cfg(feature = "planted-bugs")]
pub mod planted;
