//! The sockets.
pub mod frame;
pub mod wire;
pub mod bucket;
pub mod heartbeat;
