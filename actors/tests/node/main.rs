//! A whole node over the memory store: what its doors may rely on, without sockets and with time under control.

mod world;
mod chat;
mod groups;
mod circles;
mod messages;
mod bonds;
mod receipts;
mod crowd;
mod faults;
mod owners;
mod signals;
mod crash_points;
mod crashes;
mod homes;
mod accounts;
mod people;
mod erasure;
