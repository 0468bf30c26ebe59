//! One log and its owner: everything between "these entries should be stored" and "they are, for ever".
//!
//! [`machine`] is the pure state machine of claim, append, unknown outcome, roll-over and fencing; [`keys`] remembers
//! client keys; [`scribe`] performs the machine's effects against the store for the actor that owns the log
//! (a conversation's or a home's). The order is always: durable, then acknowledged, then announced.

pub mod machine;
pub mod keys;
pub(crate) mod scribe;
