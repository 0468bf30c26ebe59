//! The figures of Parlance: memory per connection, fan-out, durable messages, lists, searches, joins.
//!
//! Servers run as processes of their own, on core 0 where there are two cores; the bench is the load and moves to
//! core 1. A figure counts as a ratio to the calibrator of the same run, or as a count; nothing here fails a build.
//!
//! Each question is a file that says what it expects and what would change our mind. The rest is what they share.

pub mod idle_connection_memory;
pub mod fan_out_to_8000_connections;
pub mod durable_direct_messages;
pub mod conversation_list;
pub mod user_search;
pub mod group_joins;

pub mod bare;
pub mod calibrator;
pub mod client;
pub mod counts;
pub mod crowd;
pub mod frame;
pub mod http;
pub mod latency;
pub mod log;
pub mod measure;
pub mod names;
pub mod native;
pub mod process;
pub mod profile;
pub mod room;
pub mod seed;
pub mod server;
pub mod stage;
pub mod table;
pub mod translation;
