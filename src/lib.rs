//! Parlance, the server: adapters and composition around the domain in `actors`.
//!
//! Read in this order: [`config`] and [`metrics`] (words of this package), [`auth`] (tokens and passwords).

pub mod config;
pub mod metrics;
pub mod auth;
pub mod edge;
