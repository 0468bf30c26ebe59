//! Parlance, the server: adapters and composition around the domain in `actors`.
//!
//! Read in this order: [`config`] and [`metrics`] (words of this package), [`auth`] (tokens and passwords),
//! [`protocol`] (bytes to commands, answers to bytes), [`archive`] (everything stored, as lines), [`store`] (what is durable), [`edge`] (sockets), [`app`]
//! (composition), [`cli`] (the command line).

pub mod config;
pub mod metrics;
pub mod auth;
pub mod protocol;
pub mod archive;
pub mod store;
pub mod media;
pub mod edge;
pub mod app;
pub mod cli;
