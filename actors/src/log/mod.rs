//! One log and its owner: everything between "these entries should be stored" and "they are, for ever".
//!
//! [`machine`] is the pure state machine of claim, append, unknown outcome, roll-over and fencing; [`keys`] remembers
//! client keys; [`owner`] puts both together with the drafts that wait, still pure. The scribe performs an owner's orders
//! for the actor that owns the log (a conversation's or a home's). The order is always: durable, then acknowledged, then announced.

pub mod machine;
pub mod keys;
pub mod owner;
pub(crate) mod scribe;
