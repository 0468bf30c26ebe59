//! Parlance, the server: adapters and composition around the domain in `actors`.
//!
//! Read in this order: [`auth`] (tokens and passwords).

pub mod auth;
