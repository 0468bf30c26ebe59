//! What the embedded store keeps when the power fails, a disk is full, or a bit flips.
//!
//! A killed process leaves what it wrote with the operating system; a power cut does not. `shim.c` records what the
//! store does to its files, `disk` builds the folder that a cut at any moment may leave, `judge` opens it.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod trace;
mod disk;
mod workload;
mod judge;
mod cuts;
mod flips;
mod failures;
