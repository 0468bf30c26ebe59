//! Doubles of the ports for tests.
//!
//! | file | what |
//! |---|---|
//! | [`clock`] | a clock that stands until it is moved, and random numbers that repeat |
//! | [`memory`] | the store in memory, with real epochs and faults on request |
//!
//! Nothing here is part of a server.

pub mod clock;
pub mod memory;
