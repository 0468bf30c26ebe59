//! Doubles of the ports for tests, and the contract that every store is held to.
//!
//! | file | what |
//! |---|---|
//! | [`clock`] | a clock that stands until it is moved, and random numbers that repeat |
//! | [`credentials`] | credentials that nobody asks for |
//! | [`memory`] | the store in memory, with real epochs and faults on request |
//! | [`story`] | a small true history, told by a node; its end by hand |
//! | [`contract`] | what every store must do, run whole by each implementation |
//!
//! Nothing here is part of a server.

pub mod clock;
pub mod credentials;
pub mod memory;
pub mod story;
mod epilogue;
pub mod contract;
